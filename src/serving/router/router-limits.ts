/** What the router admits and how long it waits. */
export interface RouterLimits {
  bodyBytesMax: number;
  /** Bodies that are held at one time, in all. */
  heldBytesMax: number;
  /** Admitted and unanswered requests of the whole host, then 503, and of one endpoint or three quarters by one tenant, then 429. */
  inFlightMax: number;
  endpointInFlightMax: number;
  deadlineMs: number;
  /** Callers that may be connected at a time, whether they ask or not; more are closed at once. */
  connectionsMax: number;
}
