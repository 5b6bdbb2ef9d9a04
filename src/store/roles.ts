/** The two logins that a running program uses. They own nothing, and neither may become the owner. */
export interface DatabaseRoles {
  /** Of the API: it sees the rows of the one tenant that a transaction names, and without a name none. */
  api: string;
  /** Of workers, which work for all tenants. */
  worker: string;
}

export type DatabaseRole = keyof DatabaseRoles;

export const DATABASE_ROLES: DatabaseRoles = { api: "continuum_api", worker: "continuum_worker" };

/** S, I, U and D for SELECT, INSERT, UPDATE and DELETE. A list in brackets names the columns that may be updated. */
type Grants = Readonly<Record<DatabaseRole, string>>;

/**
 * What each role may do to a table. A table that is not named here is granted to nobody: whoever adds one says who needs
 * it, and for what. An entry of the audit log can be given its
 * place and nothing else; histories go by retention alone; who may do what is none of a worker's business.
 */
export const GRANTS: Readonly<Record<string, Grants>> = {
  tenants: { api: "SU", worker: "S" },
  environments: { api: "SIU", worker: "SIU" },
  principals: { api: "SIU", worker: "S" },
  tokens: { api: "SIU", worker: "S" },
  plans: { api: "SI", worker: "SI" },
  endpoints: { api: "SIUD", worker: "SIU" },
  rollouts: { api: "SIU", worker: "SIU" },
  rollout_events: { api: "SI", worker: "SID" },
  jobs: { api: "SIUD", worker: "SIUD" },
  snapshots: { api: "S", worker: "SIU" },
  // A worker may put the program's own policy into force for a tenant that has none, and change nothing of it afterwards.
  policy_versions: { api: "SIU(base_digest)", worker: "SI" },
  policy_proposals: { api: "SIU", worker: "" },
  policy_active: { api: "SIU", worker: "SI" },
  policy_activations: { api: "SI", worker: "SI" },
  trusted_keys: { api: "SIU", worker: "S" },
  trusted_identities: { api: "SIU", worker: "S" },
  trust_settings: { api: "SIU", worker: "S" },
  // What was signed never changes; it can only be taken out of force.
  evidence: { api: "SIU(revoked_at, revoked_by, revoke_reason)", worker: "S" },
  audit_entries: { api: "SIU(position)", worker: "SIU(position)" },
  audit_trees: { api: "SIU", worker: "SIU" },
  audit_nodes: { api: "SI", worker: "SI" },
  audit_checkpoints: { api: "SI", worker: "SI" },
  audit_publications: { api: "SI", worker: "SIU" },
  installations: { api: "SI", worker: "SI" },
  idempotency_keys: { api: "SIUD", worker: "SD" },
  webhook_endpoints: { api: "SIUD", worker: "SU" },
  webhook_cursors: { api: "SIU", worker: "SIU" },
  webhook_deliveries: { api: "SIUD", worker: "SIUD" },
  webhook_attempts: { api: "S", worker: "SI" },
  simulated_state: { api: "SIU", worker: "SIU" },
  passkeys: { api: "SIU", worker: "" },
  sessions: { api: "SIUD", worker: "" },
  enrolments: { api: "SIUD", worker: "" },
  people_links: { api: "SIU", worker: "" },
  sign_in_challenges: { api: "SID", worker: "" },
  sign_in_failures: { api: "SIUD", worker: "" },
  approver_keys: { api: "SIU(revoked_at)", worker: "S" },
  // The bytes that somebody signed never change; what is used up stays.
  approval_statements: {
    api: "SIU(consumed_at, bundle, key_id, step_up, reviewed_by, reviewed_at, review_verdict, review_comment)D",
    worker: "S",
  },
  totp_secrets: { api: "SIUD", worker: "" },
  workloads: { api: "SID", worker: "" },
  // What came in is read by workers alone; people are shown what was made of it.
  monitor_offsets: { api: "S", worker: "SIU" },
  monitor_cells: { api: "S", worker: "SID" },
  monitor_windows: { api: "S", worker: "SIU(sketch)D" },
  monitor_tests: { api: "S", worker: "SIUD" },
  monitor_states: { api: "S", worker: "SIUD" },
  monitor_baselines: { api: "S", worker: "SID" },
  // A person acknowledges and suppresses; what was measured, and what follows from it, is the workers'.
  alarm_states: { api: "SU(acknowledged_by, acknowledged_at, acknowledge_comment)", worker: "SIUD" },
  alarm_transitions: { api: "S", worker: "SID" },
  alarm_suppressions: { api: "SIU(ended_by, ended_at)", worker: "S" },
  watch_restores: { api: "S", worker: "SIU" },
  // Truth comes in through the API; the monitor alone knows the answers, and counts.
  inference_predictions: { api: "S", worker: "SID" },
  ground_truths: { api: "SIU(label, facet, comparison_group, known_at, received_at)", worker: "SU(counted_at)D" },
  quality_cells: { api: "S", worker: "SIUD" },
  quality_states: { api: "S", worker: "SIUD" },
  workers: { api: "", worker: "SIUD" },
  retention_sweeps: { api: "", worker: "SIU" },
  restores: { api: "S", worker: "S" },
  schema_migrations: { api: "S", worker: "S" },
};

/** Tables without a tenant, each with the reason. One that is neither here nor a tenant's is granted to nobody. */
export const TABLES_OF_NO_TENANT: Readonly<Record<string, string>> = {
  workers: "processes that work for all tenants; only they may see it",
  retention_sweeps: "when a host last removed what was past its time; only workers may see it",
  sign_in_challenges: "what a browser was asked before anybody knows whose it is; found by a hash of what was asked",
  sign_in_failures: "failed attempts to sign in, by a hash of an address or a name; nobody's rows",
  installations: "the random name of this installation, which its checkpoints carry; written once",
  restores: "between which numbers the database was restored; read only",
  schema_migrations: "which migrations were applied; read only",
};

/** Tables whose rows are a tenant's without a column that says so, each with the condition on its rows. */
export const TENANT_CONDITIONS: Readonly<Record<string, string>> = {
  simulated_state: `starts_with(key, '["' || current_setting('continuum.tenant', true) || '",')`,
};
