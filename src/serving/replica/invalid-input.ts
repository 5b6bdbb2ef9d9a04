/** The caller's fault: the request cannot be an input of this model. The message says what would be right. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";
}
