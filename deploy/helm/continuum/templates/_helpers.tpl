{{- define "continuum.name" -}}
{{- printf "%s" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "continuum.labels" -}}
app.kubernetes.io/name: continuum
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "continuum.selector" -}}
app.kubernetes.io/name: continuum
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "continuum.image" -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{- define "continuum.databaseSecret" -}}
{{ required "database.existingSecret must name the Secret that holds the URL of your PostgreSQL" .Values.database.existingSecret }}
{{- end }}

{{- define "continuum.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "continuum.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities: { drop: [ALL] }
{{- end }}

{{/* What every process has: its settings by environment, its secrets by file. `role` is the argument. */}}
{{- define "continuum.container" -}}
{{- $login := .root.Values.database.key }}
{{- if has (last .args) (list "worker" "monitor") }}{{ $login = .root.Values.database.workerKey | default $login }}{{ end }}
image: {{ include "continuum.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ .args | toJson }}
securityContext:
  {{- include "continuum.securityContext" .root | nindent 2 }}
env:
  - { name: CONTINUUM_DATA_DIR, value: /var/lib/continuum }
  - { name: CONTINUUM_TENANT, value: {{ .root.Values.settings.tenant | quote }} }
  - { name: CONTINUUM_LOG_LEVEL, value: {{ .root.Values.settings.logLevel | quote }} }
  {{- if .hostName }}
  - name: CONTINUUM_HOST_NAME
    {{- if eq .hostName "pod" }}
    valueFrom: { fieldRef: { fieldPath: metadata.name } }
    {{- else }}
    value: {{ .hostName | quote }}
    {{- end }}
  {{- end }}
  - { name: CONTINUUM_ARTIFACTS_KEY_REFERENCE, value: "file:/etc/continuum/keys/{{ .root.Values.keys.artifactStore }}" }
  {{- if .database }}
  - { name: CONTINUUM_DATABASE_URL, value: "file:/etc/continuum/database/{{ $login }}" }
  - { name: CONTINUUM_AUDIT_KEY_REFERENCE, value: "file:/etc/continuum/keys/{{ .root.Values.keys.auditCheckpoints }}" }
  - { name: CONTINUUM_POLICY_KEY_REFERENCE, value: "file:/etc/continuum/keys/{{ .root.Values.keys.policyBundles }}" }
  - { name: CONTINUUM_WEBHOOKS_KEY_REFERENCE, value: "file:/etc/continuum/keys/{{ .root.Values.keys.webhooks }}" }
  {{- with .root.Values.settings.linkBaseUrl }}
  - { name: CONTINUUM_WEBHOOKS_LINK_BASE_URL, value: {{ . | quote }} }
  {{- end }}
  {{- with .root.Values.settings.webhookInternalHosts }}
  - { name: CONTINUUM_WEBHOOKS_INTERNAL_HOSTS, value: {{ . | quote }} }
  {{- end }}
  {{- with .root.Values.settings.webhookPlainHttpHosts }}
  - { name: CONTINUUM_WEBHOOKS_PLAIN_HTTP_HOSTS, value: {{ . | quote }} }
  {{- end }}
  {{- end }}
  {{- range $name, $value := .env }}
  - { name: {{ $name }}, value: {{ $value | quote }} }
  {{- end }}
volumeMounts:
  - { name: data, mountPath: /var/lib/continuum }
  - { name: tmp, mountPath: /tmp }
  - { name: keys, mountPath: /etc/continuum/keys, readOnly: true }
  {{- if .database }}
  # Its own login alone: the API must not be able to log in as a worker, which sees all tenants.
  - { name: database, mountPath: "/etc/continuum/database/{{ $login }}", subPath: {{ $login | quote }}, readOnly: true }
  {{- end }}
{{- end }}

{{/* Started, alive, able to work: every process answers these. `port` is the argument. */}}
{{- define "continuum.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: {{ . }} }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: {{ . }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: {{ . }} }
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{- define "continuum.volumes" -}}
- { name: tmp, emptyDir: { sizeLimit: 256Mi } }
- name: keys
  secret:
    secretName: {{ required "keys.existingSecret must name the Secret that holds the keys" .Values.keys.existingSecret }}
    defaultMode: 0440
- name: database
  secret:
    secretName: {{ include "continuum.databaseSecret" . }}
    defaultMode: 0440
    items:
      - { key: {{ .Values.database.key | quote }}, path: {{ .Values.database.key | quote }} }
      {{- if and .Values.database.workerKey (ne .Values.database.workerKey .Values.database.key) }}
      - { key: {{ .Values.database.workerKey | quote }}, path: {{ .Values.database.workerKey | quote }} }
      {{- end }}
{{- end }}

{{- define "continuum.pod" -}}
serviceAccountName: {{ include "continuum.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "continuum.podSecurityContext" . | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "continuum.apiEnv" -}}
{{- dict "CONTINUUM_API_HOST" "0.0.0.0" "CONTINUUM_API_PORT" "7400" "CONTINUUM_API_ALLOW_INSECURE_HTTP" "true" | toJson -}}
{{- end }}

{{- define "continuum.monitorEnv" -}}
{{- dict "CONTINUUM_MONITOR_OPS_HOST" "0.0.0.0" "CONTINUUM_MONITOR_OPS_PORT" "7409" | toJson -}}
{{- end }}

{{- define "continuum.workerEnv" -}}
{{- dict "CONTINUUM_WORKER_OPS_HOST" "0.0.0.0" "CONTINUUM_WORKER_OPS_PORT" "7410" | toJson -}}
{{- end }}
