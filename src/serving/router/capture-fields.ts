import { captureTenantKey, inferencePseudonym, pseudonymOf } from "../../core/monitor/capture/pseudonym.ts";

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

/**
 * The names that the invocation protocols themselves give to rows of numbers, and those that classifiers give to what
 * they answer: without them nothing could be said of a model's predictions.
 */
export const PROTOCOL_FIELDS = [
  ...["instances", "inputs", "predictions", "outputs", "data"],
  ...["label", "probability", "probabilities", "score", "scores"],
];

/** A body in which there is nothing but numbers in arrays, which is by far the most frequent one, is not parsed. */
const NUMBERS = String.raw`[\d\s.,eE+\-[\]]*`;
const ROWS = new RegExp(`^${NUMBERS}$`);

/** What is kept of a body. */
export interface KeptBody {
  data: string;
  /** Whether anything was left out, so that a null among the rest may stand for it. */
  isPartial: boolean;
}

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
  readonly #tenantKeys = new Map<string, Uint8Array>();
  readonly #plain: RegExp | undefined;
  /** Of the body that is being read. */
  #isPartial = false;

  constructor(rules: CaptureRules) {
    this.#pseudonyms = new Set(rules.pseudonymFields);
    this.#texts = new Set(rules.textFields);
    this.#fields = new Set([...rules.fields, ...rules.textFields]);
    this.#key = rules.pseudonymKey;
    const names = rules.fields.filter((name) => !this.#pseudonyms.has(name)).map((name) => RegExp.escape(name));
    if (names.length > 0) this.#plain = new RegExp(`^\\s*\\{\\s*"(?:${names.join("|")})"\\s*:${NUMBERS}\\}\\s*$`);
  }

  /** The body with what is listed; undefined when it cannot be read, since nothing can be told of it then. */
  json(tenant: string, text: string): KeptBody | undefined {
    if (this.#plain?.test(text)) return { data: text, isPartial: false };
    if (ROWS.test(text))
      return this.#keepsRows() ? { data: text, isPartial: false } : { data: "null", isPartial: true };
    try {
      this.#isPartial = false;
      // Named like the rows of an array without a name, which is what a bare array is.
      const data = JSON.stringify(this.#kept(tenant, "instances", JSON.parse(text)) ?? null);
      return { data, isPartial: this.#isPartial };
    } catch (error) {
      // No JSON, or nested so deeply that the stack ends: neither may end the process that serves.
      if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Cells that are no numbers become empty ones. */
  csv(tenant: string, text: string): KeptBody {
    if (ROWS.test(text) && this.#keepsRows()) return { data: text, isPartial: false };
    this.#isPartial = false;
    const data = text
      .split("\n")
      .map((line) =>
        line
          .split(",")
          .map((cell) => this.#cell(tenant, cell.trim()))
          .join(","),
      )
      .join("\n");
    return { data, isPartial: this.#isPartial };
  }

  /** Under which name an inference with an id of the caller's own is kept; undefined without a key. */
  inference(tenant: string, inferenceId: string): string | undefined {
    const key = this.#tenantKey(tenant);
    return key === undefined ? undefined : inferencePseudonym(key, inferenceId);
  }

  #keepsRows(): boolean {
    return this.#fields.has("instances") && !this.#pseudonyms.has("instances");
  }

  #cell(tenant: string, cell: string): string {
    if (cell === "") return "";
    const isNumber = Number.isFinite(Number(cell));
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
    if (this.#fields.has(name) || this.#pseudonyms.has(name)) return this.#kept(tenant, name, item);
    this.#isPartial = true;
    return undefined;
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
    const kept = this.#listed(tenant, name, value);
    if (kept === undefined) this.#isPartial = true;
    return kept;
  }

  #listed(tenant: string, name: string, value: null | boolean | number | string): Json | undefined {
    if (this.#pseudonyms.has(name)) return value === null ? null : this.#pseudonym(tenant, String(value));
    if (!this.#fields.has(name)) return undefined;
    return typeof value !== "string" || this.#texts.has(name) ? value : undefined;
  }

  /** The same for the same value within a tenant, and for nobody else. */
  #pseudonym(tenant: string, value: string): string | undefined {
    const key = this.#tenantKey(tenant);
    return key === undefined ? undefined : pseudonymOf(key, value);
  }

  #tenantKey(tenant: string): Uint8Array | undefined {
    if (this.#key === undefined) return undefined;
    let key = this.#tenantKeys.get(tenant);
    if (key === undefined) {
      key = captureTenantKey(this.#key, tenant);
      this.#tenantKeys.set(tenant, key);
    }
    return key;
  }
}
