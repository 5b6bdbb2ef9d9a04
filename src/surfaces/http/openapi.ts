import { z } from "zod";
import { type Operation, PRINCIPAL_KINDS } from "../../contract/operation.ts";
import { type OperationName, operations } from "../../contract/operations.ts";
import { PROBLEMS } from "../../contract/problem.ts";
import { type SignInOperation, signInOperations } from "../../contract/sign-in-operations.ts";
import { exchangeOperation } from "../../contract/workload-operations.ts";
import { CSRF_HEADER, SESSION } from "./session-cookie.ts";

type Json = Record<string, unknown>;

/** What is asked without a credential of ours. */
export const OPEN_OPERATIONS = { ...signInOperations, "tokens.exchange": exchangeOperation };

/** The OpenAPI 3.1 document of the whole API, made from the list of operations: it cannot say what the server does not do. */
export function openApiDocument(options: { version: string; serverUrl?: string }): Json {
  const schemas: Json = { Problem: problemSchema() };
  const paths: Record<string, Json> = {};
  for (const [name, operation] of Object.entries(operations) as [OperationName, Operation][]) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method.toLowerCase()]: describe(name, operation, schemas),
    };
  }
  for (const [name, operation] of Object.entries(OPEN_OPERATIONS) as [string, SignInOperation][]) {
    const described = describeSignIn(name, operation, schemas);
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: described };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Continuum",
      version: options.version,
      summary: "Puts machine-learning models into production safely",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    ...(options.serverUrl === undefined ? {} : { servers: [{ url: options.serverUrl }] }),
    tags: [...new Set([...Object.keys(operations), ...Object.keys(OPEN_OPERATIONS)].map(groupOf))].map((tag) => ({
      name: tag,
    })),
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "A token made by `token create`." },
        session: {
          ...{ type: "apiKey", in: "cookie", name: SESSION },
          description: `A person's browser. What changes something comes from our own pages: Origin, and ${CSRF_HEADER}: 1.`,
        },
      },
      schemas,
    },
  };
}

function describe(name: OperationName, operation: Operation, schemas: Json): Json {
  const body = requestBody(operation, schemas);
  const people = operation.humansOnly ? [...PRINCIPAL_KINDS].filter((kind) => kind === "human") : [...PRINCIPAL_KINDS];
  return {
    operationId: name,
    tags: [groupOf(name)],
    summary: operation.summary,
    parameters: parameters(operation, schemas),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: responses(operation, schemas),
    "x-permission": operation.permission,
    "x-principal-kinds": people,
  };
}

/** What somebody asks who has no credential yet. */
function describeSignIn(name: string, operation: SignInOperation, schemas: Json): Json {
  const asked: Operation = { ...operation, permission: "read" };
  const body = requestBody(asked, schemas);
  return {
    operationId: name,
    tags: [groupOf(name)],
    summary: operation.summary,
    security: [],
    ...(body === undefined ? {} : { requestBody: body }),
    responses: responses(asked, schemas),
  };
}

function parameters(operation: Operation, schemas: Json): Json[] {
  const list = [...fields(operation.params, "path", schemas), ...fields(operation.query, "query", schemas)];
  if (operation.method === "POST") {
    list.push({
      name: "Idempotency-Key",
      in: "header",
      required: false,
      description: "The same key with the same request is performed once; kept for at least 24 hours.",
      schema: { type: "string", minLength: 1, maxLength: 255 },
    });
  }
  if (operation.produces === "sse") {
    list.push({
      name: "Last-Event-ID",
      in: "header",
      required: false,
      schema: { type: "string", pattern: "^[0-9]+$" },
    });
  }
  return list;
}

function fields(schema: z.ZodObject | undefined, place: "path" | "query", schemas: Json): Json[] {
  if (schema === undefined) return [];
  // Coerced numbers have no input type, so parameters are described by what they become.
  const { properties = {}, required = [] } = jsonSchema(schema, schemas, "output") as {
    properties?: Json;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}

function requestBody(operation: Operation, schemas: Json): Json | undefined {
  if (operation.body === undefined) return undefined;
  if (operation.body === "bytes") return { required: true, content: { "application/octet-stream": {} } };
  return {
    required: !operation.body.safeParse({}).success,
    content: { "application/json": { schema: jsonSchema(operation.body, schemas) } },
  };
}

function responses(operation: Operation, schemas: Json): Json {
  const types = { json: "application/json", ndjson: "application/x-ndjson", sse: "text/event-stream" } as const;
  const produces = operation.produces ?? "json";
  const schema = jsonSchema(operation.output, schemas);
  const answer = produces === "json" ? { schema } : { schema: { type: "string" }, "x-item-schema": schema };
  const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  return {
    [String(operation.status ?? 200)]: { description: operation.summary, content: { [types[produces]]: answer } },
    default: { description: "A problem (RFC 9457)", content: problem },
  };
}

/** JSON Schema of a zod schema; named parts are moved to the components. */
function jsonSchema(schema: z.ZodType, schemas: Json, io: "input" | "output" = "input"): Json {
  // Input mode leaves answers open for members that later versions add.
  const {
    $schema: _,
    $defs,
    ...rest
  } = z.toJSONSchema(schema, { io, target: "draft-2020-12" }) as Json & { $defs?: Json };
  for (const [id, definition] of Object.entries($defs ?? {})) schemas[id] = withoutId(moveReferences(definition));
  const id = schema.meta()?.id;
  if (id === undefined) return moveReferences(rest) as Json;
  // A schema that stands among its own definitions is answered as a reference to there.
  if ($defs === undefined || !Object.hasOwn($defs, id)) schemas[id] = withoutId(moveReferences(rest));
  return { $ref: `#/components/schemas/${id}` };
}

function moveReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moveReferences);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) =>
      key === "$ref" && typeof inner === "string"
        ? [key, inner.replace("#/$defs/", "#/components/schemas/")]
        : [key, moveReferences(inner)],
    ),
  );
}

function withoutId(schema: unknown): unknown {
  const { $id: _, id: __, ...rest } = schema as Json;
  return rest;
}

function problemSchema(): Json {
  return {
    type: "object",
    description: "RFC 9457 problem details",
    required: ["type", "title", "status", "detail", "code", "requestId"],
    properties: {
      type: { type: "string", format: "uri-reference" },
      title: { type: "string" },
      status: { type: "integer" },
      detail: { type: "string" },
      code: { type: "string", enum: Object.keys(PROBLEMS) },
      requestId: { type: "string" },
      pointer: { type: "string", description: "JSON pointer into the request" },
    },
  };
}

function groupOf(name: string): string {
  return name.slice(0, name.indexOf("."));
}
