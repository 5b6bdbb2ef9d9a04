// The predicate of SLSA provenance v1 for this run of the workflow, out of GitHub's own variables. Who started the run is
// left out: it is personal data, and says nothing of what was built.
const variable = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: this runs in a GitHub workflow`);
  return value;
};

const server = variable("GITHUB_SERVER_URL");
const repository = variable("GITHUB_REPOSITORY");
const ref = variable("GITHUB_REF");
const workflowRef = variable("GITHUB_WORKFLOW_REF");
const source = `${server}/${repository}`;
const path = workflowRef.slice(`${repository}/`.length).replace(/@.*$/s, "");

const predicate = {
  buildDefinition: {
    buildType: "https://actions.github.io/buildtypes/workflow/v1",
    externalParameters: { workflow: { ref, repository: source, path } },
    internalParameters: {
      github: {
        event_name: variable("GITHUB_EVENT_NAME"),
        repository_id: variable("GITHUB_REPOSITORY_ID"),
        repository_owner_id: variable("GITHUB_REPOSITORY_OWNER_ID"),
        runner_environment: variable("RUNNER_ENVIRONMENT"),
      },
    },
    resolvedDependencies: [{ uri: `git+${source}@${ref}`, digest: { gitCommit: variable("GITHUB_SHA") } }],
  },
  runDetails: {
    builder: { id: `${server}/${workflowRef}` },
    metadata: {
      invocationId: `${source}/actions/runs/${variable("GITHUB_RUN_ID")}/attempts/${variable("GITHUB_RUN_ATTEMPT")}`,
    },
  },
};
console.log(JSON.stringify(predicate));
