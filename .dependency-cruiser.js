// The walls of the house (ARCHITECTURE.md). Each rule names what a folder may reach; anything else is refused.
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: from, pathNot: "\\.(test|conformance)\\.ts$|/testing/" },
  to: { path: "^(src|web|test|bench)/", pathNot: allowed },
});

export default {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphan-dependency",
      severity: "error",
      comment: "a package that package.json does not name",
      from: {},
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown", "unknown", "undetermined"] },
    },
    {
      name: "no-dev-dependency-in-src",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.(test|conformance)\\.ts$|/testing/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "core-is-pure",
      severity: "error",
      comment: "core has no clock, no I/O and no process",
      from: { path: "^src/core/", pathNot: "\\.test\\.ts$" },
      to: {
        dependencyTypes: ["core"],
        path: "^(node:)?(fs|net|http|https|child_process|worker_threads|timers|os|dns|tls|process|perf_hooks)(/|$)",
      },
    },
    only("core", "^src/core/", "^src/core/"),
    only("contract", "^src/contract/", "^src/(contract|core)/"),
    only("ports", "^src/drivers/[^/]+/[^/]+\\.ts$", "^src/(core|drivers/[^/]+/[^/]+\\.ts$)"),
    {
      name: "a-driver-knows-its-port",
      severity: "error",
      comment: "a driver imports its port, core and its own folder, never another driver",
      from: { path: "^src/drivers/([^/]+)/([^/]+)/", pathNot: "\\.test\\.ts$" },
      to: {
        path: "^src/",
        pathNot: ["^src/core/", "^src/drivers/$1/[^/]+\\.ts$", "^src/drivers/$1/$2/", "^src/serving/protocol\\.ts$"],
      },
    },
    {
      name: "serving-protocol-is-for-its-client",
      severity: "error",
      from: { path: "^src/drivers/", pathNot: "^src/drivers/target/local/|\\.test\\.ts$" },
      to: { path: "^src/serving/" },
    },
    only("tables", "^src/tables/", "^src/(tables|core)/"),
    only("store", "^src/store/", "^src/(store|core)/"),
    only("engine", "^src/engine/", "^src/(engine|core|store|tables|drivers/[^/]+/[^/]+\\.ts$)"),
    only("service", "^src/service/", "^src/(service|engine|contract|core|store|tables|drivers/[^/]+/[^/]+\\.ts$)"),
    only("serving", "^src/serving/", "^src/(serving/|core/monitor/|core/error\\.ts)"),
    only("http", "^src/surfaces/http/", "^src/(surfaces/http|service|contract|core)/"),
    only("cli", "^src/surfaces/cli/", "^src/(surfaces/cli|contract|core|config|tables)/"),
    only("config", "^src/config/", "^src/(config|core)/"),
    only(
      "doctor",
      "^src/doctor/",
      "^src/(doctor|core|config|store|drivers/[^/]+/[^/]+\\.ts$|serving/state-file\\.ts$)",
    ),
    only("quickstart", "^src/quickstart/", "^src/(quickstart|contract|core|config|surfaces/cli)/"),
    {
      name: "only-main-reaches-compose",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/((main|compose)\\.ts$|compose/)" },
      to: { path: "^src/compose(\\.ts|/)" },
    },
    {
      name: "only-compose-names-drivers",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/compose(\\.ts|/)", "^src/drivers/", "\\.test\\.ts$", "/testing/"] },
      to: { path: "^src/drivers/[^/]+/[^/]+/" },
    },
    {
      name: "tests-are-not-imported",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.(test|conformance)\\.ts$|/testing/" },
      to: { path: "\\.(test|conformance)\\.ts$|/testing/|^test/" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|node_modules)/" },
    enhancedResolveOptions: { conditionNames: ["import", "node", "default"], extensions: [".ts", ".js", ".json"] },
  },
};
