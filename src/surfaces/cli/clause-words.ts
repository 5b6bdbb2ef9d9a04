/** What a clause wants, and what one can do about it, in plain words. The policy set decides; this only explains it. */
export interface ClauseWords {
  title: string;
  wants: string;
  remedy: string;
}

const words = (title: string, wants: string, remedy: string): ClauseWords => ({ title, wants, remedy });

export const CLAUSE_WORDS: Readonly<Record<string, ClauseWords>> = {
  "AO-1": words(
    "One type in development",
    "Development runs ml.m5.large and nothing else, without exception, so that experiments stay cheap and alike.",
    "Set the type to ml.m5.large, or propose for staging.",
  ),
  "AO-2": words(
    "Two types in staging",
    "Staging runs ml.m5.large or ml.m5.xlarge: enough to find out how a model behaves, little enough to be no second production.",
    "Choose one of the two.",
  ),
  "AO-3": words(
    "Larger staging is approved",
    "From three instances on, somebody other than the proposer looks at a staging deployment.",
    "Ask for the approval, or stay at two.",
  ),
  "AO-4": words(
    "Production survives one failure",
    "Production has at least two instances, without exception: one may fail while the other answers.",
    "Set instanceCount to 2 or more.",
  ),
  "AO-5": words(
    "Staging's budget",
    "All of staging together costs at most $15.00 an hour, this plan included. Whoever proposes may set a smaller cap of their own.",
    "Use fewer or smaller instances, or free what runs unused.",
  ),
  "AO-6": words(
    "Production's budget",
    "All of production together costs at most $50.00 an hour, this plan included, whatever runtime it uses.",
    "Use fewer or smaller instances; a higher cap is a change of policy, which a person approves.",
  ),
  "AO-7": words(
    "A person says yes to production",
    "Every production deployment is approved by a person who neither proposed it nor owns the agent that did.",
    "An approver reads the plan and approves its digest.",
  ),
  "AO-8": words(
    "Alarms roll back",
    "Every deployment names the alarms on which it rolls back by itself: ModelMonitorAlarm and DataDriftAlarm.",
    "List both under rollback.alarms.",
  ),
  "AO-9": words(
    "Production is watched",
    "A production model is compared with a baseline, and drift, quality and bias have alarms. None of these can be guessed from outside.",
    "Fill the monitor block: a baseline, the label column and the facet.",
  ),
  "AO-10": words(
    "No idle instances",
    "Development and staging run one instance unless there is a reason; this is advice and blocks nothing.",
    "Set instanceCount to 1 if you can.",
  ),
  "AO-11": words(
    "Approved types in production",
    "Production runs on instance types that the tenant approved and whose price is known; an unknown price is never taken for free.",
    "Choose an approved type.",
  ),
  "AO-12": words(
    "Expensive production has a second approval",
    "Above $30.00 an hour a budget owner approves too, and not the same person as the first approver.",
    "Ask a budget owner, or stay at or under $30.00.",
  ),
  "AO-13": words(
    "Written down first",
    "The plan stands in the audit log before anything happens.",
    "Nothing to do: the server does it with the same transaction.",
  ),
  "AO-14": words(
    "Artifacts are encrypted",
    "The model lies in an encrypted store, and is never deployed from anywhere else.",
    "Import it: continuum artifact import, or let plan submit do it.",
  ),
  "CP-1": words(
    "More risk, more proof",
    "Development is low risk and automatic; staging is medium and keeps a snapshot; production is high and needs a person with MFA and full verification.",
    "Provide what is listed as needed.",
  ),
  "CP-2": words(
    "The GPU runtime's cap",
    "What runs on the standard runtime, processors included, costs less than $100.00 an hour.",
    "Use fewer instances.",
  ),
  "CP-3": words(
    "The quantum runtime's rules",
    "Quantum work runs quantum algorithms, is protected by post-quantum cryptography, and can cost less than $500.00 in an hour.",
    "Use another runtime until this one is available.",
  ),
  "CP-4": words(
    "Mixed workloads",
    "Work that is partly quantum is routed by cost, time and success together, and each part keeps its own cap.",
    "Use another runtime until this one is available.",
  ),
  "CP-5": words(
    "Tests passed",
    "A signed statement says that the automated tests of exactly this artifact passed; this holds in every environment.",
    "Run the tests, then: continuum attest --junit REPORT --artifact MODEL --key KEY, and continuum evidence add.",
  ),
  "CP-6": words(
    "Images are signed",
    "Every container image that a plan names carries a signature that is verified.",
    "Sign the image, or leave it out where the target needs none.",
  ),
  "CP-7": words(
    "Policy before deployment",
    "The policy is asked at every gate, not only when a plan comes in.",
    "Nothing to do.",
  ),
  "CP-8": words(
    "What was approved is what runs",
    "The SHA-256 of the stored plan is computed again before anything is deployed.",
    "Nothing to do.",
  ),
  "CP-9": words(
    "Production starts as a dry run",
    "A production plan changes nothing unless it says dryRun: false.",
    "Look at the dry run first, then submit with --live.",
  ),
  "CP-10": words(
    "The approver signs",
    "A production activation carries the approver's own signature over this plan.",
    "The approver signs as part of the approval.",
  ),
  "CP-11": words(
    "A way back",
    "Before staging or production is changed, what runs there is kept as a snapshot whose checksum is verified.",
    "Nothing to do: the rollout takes it.",
  ),
  "CP-12": words(
    "Unhealthy means back",
    "A failing health check rolls the deployment back by itself.",
    "Leave rollback.onHealthCheckFailure at true.",
  ),
  P1: words(
    "No personal data in deployments",
    "Plans, logs and statements carry no personal data.",
    "Keep it out of names, labels and comments.",
  ),
  P2: words(
    "Production manifests are signed",
    "The plan of a production deployment is signed, so that it can be told from an altered one.",
    "Sign the plan.",
  ),
  P3: words(
    "Dry run and explicit approval",
    "Production is a dry run by default, and going live is somebody's explicit word.",
    "Submit with --live once it is approved.",
  ),
  P4: words(
    "Everything is measured",
    "Every part of the program exports metrics and an audit trail.",
    "Nothing to do.",
  ),
  P5: words(
    "Tenants are apart",
    "A plan that names something of another tenant is denied as if it did not exist.",
    "Name an artifact of your own; import it if it is missing.",
  ),
  P6: words(
    "Under ten minutes",
    "A deployment takes less than ten minutes, counted without the time that people need. A longer deadline is allowed and remarked upon.",
    "Shorten the bakes or the deadline.",
  ),
  P7: words(
    "A breaker for repeated failures",
    "After three failed deployments of an endpoint within an hour further ones are denied until a person closes the breaker or it has cooled down.",
    "Find the cause, then: continuum breaker reset.",
  ),
};
