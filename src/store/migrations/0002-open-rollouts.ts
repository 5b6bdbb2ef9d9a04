export const sql = `
-- What is asked at every proposal and every end must not look through an endpoint's or a tenant's whole history.
CREATE INDEX rollouts_open_of_endpoint ON rollouts (tenant, environment, target, name, created_at) WHERE NOT terminal;
CREATE INDEX rollouts_dry_runs ON rollouts (tenant, plan_digest, ended_at) WHERE dry_run;
`;
