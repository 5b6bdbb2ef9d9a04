import { createHmac } from "node:crypto";

/** Which parts of requests and answers are kept; whatever has no name here is left out. */
export interface CaptureRules {
  /** Numbers and truth values, alone or in arrays, right under these names. */
  fields: readonly string[];
  /** Texts as well, under these. */
  textFields: readonly string[];
  /** Texts and numbers under these become pseudonyms. */
  pseudonymFields: readonly string[];
  /** 32 bytes; each tenant's key is derived from it. Without one, what would need a pseudonym is left out. */
  pseudonymKey?: Uint8Array;
}

/** The names that the invocation protocols themselves give to rows of numbers. */
export const PROTOCOL_FIELDS = ["instances", "inputs", "predictions", "outputs", "data"];

/** A body in which there is nothing but numbers in arrays, which is by far the most frequent one, is not parsed. */
const NUMBERS = String.raw`[\d\s.,eE+\-[\]]*`;
const ROWS = new RegExp(`^${NUMBERS}$`);

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/**
 * Takes out of a body everything that is not listed. Rows without names (CSV, a bare array) count as `instances`.
 * Names that are not listed go with everything in them, because callers can write a person's data into a name too.
 */
export class CaptureFields {
  readonly #fields: ReadonlySet<string>;
  readonly #texts: ReadonlySet<string>;
  readonly #pseudonyms: ReadonlySet<string>;
  readonly #key: Uint8Array | undefined;
  readonly #tenantKeys = new Map<string, Buffer>();
  readonly #plain: RegExp | undefined;

  constructor(rules: CaptureRules) {
    this.#pseudonyms = new Set(rules.pseudonymFields);
    this.#texts = new Set(rules.textFields);
    this.#fields = new Set([...rules.fields, ...rules.textFields]);
    this.#key = rules.pseudonymKey;
    const names = rules.fields.filter((name) => !this.#pseudonyms.has(name)).map((name) => RegExp.escape(name));
    if (names.length > 0) this.#plain = new RegExp(`^\\s*\\{\\s*"(?:${names.join("|")})"\\s*:${NUMBERS}\\}\\s*$`);
  }

  /** The body with what is listed; undefined when it cannot be read, since nothing can be told of it then. */
  json(tenant: string, text: string): string | undefined {
    if (this.#plain?.test(text)) return text;
    if (ROWS.test(text)) return this.#keepsRows() ? text : "null";
    try {
      // Named like the rows of an array without a name, which is what a bare array is.
      return JSON.stringify(this.#kept(tenant, "instances", JSON.parse(text)) ?? null);
    } catch (error) {
      // No JSON, or nested so deeply that the stack ends: neither may end the process that serves.
      if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Cells that are no numbers become empty ones. */
  csv(tenant: string, text: string): string {
    if (ROWS.test(text) && this.#keepsRows()) return text;
    return text
      .split("\n")
      .map((line) =>
        line
          .split(",")
          .map((cell) => this.#cell(tenant, cell.trim()))
          .join(","),
      )
      .join("\n");
  }

  #keepsRows(): boolean {
    return this.#fields.has("instances") && !this.#pseudonyms.has("instances");
  }

  #cell(tenant: string, cell: string): string {
    const isNumber = cell !== "" && Number.isFinite(Number(cell));
    const kept = this.#scalar(tenant, "instances", isNumber ? Number(cell) : cell);
    if (kept === undefined) return "";
    return typeof kept === "number" ? cell : `${kept}`;
  }

  #kept(tenant: string, name: string, value: Json): Json | undefined {
    if (Array.isArray(value)) return value.map((item) => this.#kept(tenant, name, item) ?? null);
    if (typeof value !== "object" || value === null) return this.#scalar(tenant, name, value);
    const isTensor = typeof value["name"] === "string" && Array.isArray(value["data"]);
    const kept: [string, Json][] = [];
    for (const [inner, item] of Object.entries(value)) {
      const part = isTensor ? this.#tensorPart(tenant, value, inner) : this.#named(tenant, inner, item);
      if (part !== undefined) kept.push([inner, part]);
    }
    return Object.fromEntries(kept);
  }

  #named(tenant: string, name: string, item: Json): Json | undefined {
    return this.#fields.has(name) || this.#pseudonyms.has(name) ? this.#kept(tenant, name, item) : undefined;
  }

  /** Of the Open Inference Protocol, whose tensors carry their name beside their data. */
  #tensorPart(tenant: string, tensor: Record<string, Json>, part: string): Json | undefined {
    const { name = "" } = tensor;
    if (part === "name" || part === "datatype" || part === "shape") return tensor[part];
    if (part !== "data") return undefined;
    const listed = this.#pseudonyms.has(String(name)) || this.#texts.has(String(name)) ? String(name) : "data";
    return this.#named(tenant, listed, tensor["data"] ?? null);
  }

  #scalar(tenant: string, name: string, value: null | boolean | number | string): Json | undefined {
    if (this.#pseudonyms.has(name)) return value === null ? null : this.#pseudonym(tenant, String(value));
    if (!this.#fields.has(name)) return undefined;
    return typeof value !== "string" || this.#texts.has(name) ? value : undefined;
  }

  /** The same for the same value within a tenant, and for nobody else: 132 bits of HMAC-SHA-256 with the tenant's key. */
  #pseudonym(tenant: string, value: string): string | undefined {
    if (this.#key === undefined) return undefined;
    let key = this.#tenantKeys.get(tenant);
    if (key === undefined) {
      key = createHmac("sha256", this.#key).update(`continuum capture v1: pseudonyms of ${tenant}`).digest();
      this.#tenantKeys.set(tenant, key);
    }
    return `p_${createHmac("sha256", key).update(value).digest("base64url").slice(0, 22)}`;
  }
}
