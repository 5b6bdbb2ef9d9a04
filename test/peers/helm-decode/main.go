// Reads Kubernetes objects as YAML from standard input and decodes each with the API's own types, strictly: a field that
// the type does not have, or has twice, is an error. Prints one line for each object.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	yamls "sigs.k8s.io/yaml"
)

var types = map[string]func() any{
	"apps/v1/Deployment":                 func() any { return &appsv1.Deployment{} },
	"apps/v1/StatefulSet":                func() any { return &appsv1.StatefulSet{} },
	"batch/v1/Job":                       func() any { return &batchv1.Job{} },
	"v1/Service":                         func() any { return &corev1.Service{} },
	"v1/ServiceAccount":                  func() any { return &corev1.ServiceAccount{} },
	"v1/PersistentVolumeClaim":           func() any { return &corev1.PersistentVolumeClaim{} },
	"networking.k8s.io/v1/NetworkPolicy": func() any { return &networkingv1.NetworkPolicy{} },
	"policy/v1/PodDisruptionBudget":      func() any { return &policyv1.PodDisruptionBudget{} },
}

// As the API server does it: names count by every letter, and a field that is twice there or unknown is an error.
func decode(document []byte, into any) error {
	text, err := yamls.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	problems, err := json.UnmarshalStrict(text, into)
	if err == nil && len(problems) > 0 {
		return problems[0]
	}
	return err
}

func main() {
	reader := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	failed := false
	for {
		document, err := reader.Read()
		if err == io.EOF {
			break
		}
		var head metav1.TypeMeta
		if err == nil {
			err = yamls.Unmarshal(document, &head)
		}
		if err == nil && head.Kind == "" {
			continue
		}
		name := head.APIVersion + "/" + head.Kind
		if err == nil {
			if make, known := types[name]; known {
				err = decode(document, make())
			} else {
				name += " (not decoded)"
			}
		}
		if err != nil {
			failed = true
			fmt.Println("BAD", name, err)
		} else {
			fmt.Println("ok", name)
		}
	}
	if failed {
		os.Exit(1)
	}
}
