/** What signing bundles needs. */
export interface PolicyBundleParts {
  /** The secret that the installation's key is made of; the same for every API. Errors: those of the secrets. */
  secret(): Promise<Uint8Array>;
  /** How long a bundle counts. */
  validDays: number;
}
