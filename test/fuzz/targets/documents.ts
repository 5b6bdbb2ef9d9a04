import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { encodeEntry, entryTime } from "../../../src/core/audit/entry.ts";
import { exportVerifier, exportWriter } from "../../../src/core/audit/export.ts";
import { writeDsseBundle } from "../../../src/core/evidence/bundle.ts";
import { readCosignKey, writeCosignKey } from "../../../src/core/evidence/cosign-key.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "../../../src/core/evidence/dsse.ts";
import { readJunit } from "../../../src/core/evidence/junit.ts";
import { parsePublicKey } from "../../../src/core/evidence/public-key.ts";
import { signMessage } from "../../../src/core/evidence/sign.ts";
import { generateSigningKey } from "../../../src/core/evidence/signing-key.ts";
import { buildTestResult } from "../../../src/core/evidence/test-result.ts";
import { verifyMessage, verifyTestEvidence } from "../../../src/core/evidence/verify-trusted.ts";
import { edited } from "../edits.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { grown, mostly, mutated } from "../mutations.ts";
import { checkLine, holds } from "../violation.ts";

const MESSAGE = Buffer.from("a model");
const DIGEST = `sha256:${createHash("sha256").update(MESSAGE).digest("hex")}`;
const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1"><testsuite name="a" tests="3" failures="1" errors="0">
<properties><property name="p" value="&lt;v&#x41;"/></properties>
<testcase classname="a" name="adds" time="0.1"/><!-- c --><testcase name="b"><failure message="no">x</failure></testcase>
<testcase name="c"><skipped/><system-out><![CDATA[ <out> ]]></system-out></testcase></testsuite></testsuites>`;

/** Bundles and DSSE envelopes, the signed statement in them as well: what is signed was not therefore well formed. */
export const bundles: FuzzTarget = {
  name: "bundles",
  share: 60,
  open: async () => {
    const key = generateSigningKey(randomBytes);
    const other = generateSigningKey(randomBytes);
    const trusted = (purpose: string) => [{ keyId: key.publicKey.keyId, spkiPem: key.publicKey.spkiPem, purpose }];
    const built = buildTestResult({
      junit: Buffer.from('<testsuite tests="1"><testcase name="a"/></testsuite>'),
      subjects: [{ name: "model.onnx", digest: DIGEST }],
    });
    if (!built.ok) throw new Error(built.problem.message);
    const statement = JSON.stringify(built.value.statement);
    const signed = (payload: Uint8Array) => {
      const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload };
      return writeDsseBundle(key.publicKey, { ...envelope, signature: signEnvelope(key, envelope) });
    };
    const texts = [signed(Buffer.from(statement)), signMessage(MESSAGE, key), signMessage(MESSAGE, other)];
    const jsonOf = (value: unknown) => Buffer.from(JSON.stringify(value) ?? "null");
    return openTarget({
      inputs: fc.oneof(
        fc.record({
          sign: fc.constant(false),
          bytes: mostly(mutated(texts), grown(["[", "{", '{"a":', '"'], 200_000)),
        }),
        fc.record({ sign: fc.constant(false), bytes: edited(texts.map((text) => JSON.parse(text))).map(jsonOf) }),
        fc.record({ sign: fc.constant(true), bytes: mutated([statement]) }),
        fc.record({ sign: fc.constant(true), bytes: edited([JSON.parse(statement)]).map(jsonOf) }),
      ),
      bytesOf: ({ bytes }) => bytes.length,
      feed({ sign, bytes }) {
        const bundle = sign ? signed(bytes) : bytes;
        const file = verifyMessage(bundle, { trustedKeys: trusted("s"), purpose: "s", message: MESSAGE });
        const tests = verifyTestEvidence(bundle, { trustedKeys: trusted("tests"), subjectDigest: DIGEST });
        for (const verdict of [file, tests]) if (!verdict.ok) checkLine(verdict.reason);
        holds(!(file.ok && tests.ok), "a bundle is both a file's signature and a statement");
        if (file.ok || tests.ok) return "verified";
        return tests.code === "malformed-bundle" ? file.code : tests.code;
      },
    });
  },
};

export const junit: FuzzTarget = {
  name: "junit",
  share: 110,
  open: async () => {
    const pieces = [
      "<a>",
      "</a>",
      "<a ",
      "<testcase/>",
      " ",
      "\n",
      "&",
      "&lt;",
      "<!--",
      "-->",
      "<![CDATA[",
      "]]>",
      "<a b='",
      "x='N' ",
      "aN='1' ",
    ];
    return openTarget({
      inputs: mostly(
        mutated(
          [REPORT, '<testsuite tests="1"><testcase name="a"/></testsuite>'],
          ["<!DOCTYPE a [", "&x;", "<?php ?>", 'tests="9"'],
        ),
        grown([...pieces, "<testsuite>", "<testcase name='N'/>", "<error/>", "=", "\t"], 1_000_000),
        2000,
      ),
      bytesOf: (bytes) => bytes.length,
      feed(bytes) {
        const report = readJunit(bytes);
        if (!report.ok) {
          checkLine(report.problem.message);
          return "malformed";
        }
        const { result, failed, warned, passed, outcomes } = report.value;
        holds(outcomes.length === passed + warned + failed, "the counts are not those of the cases");
        holds(result !== "PASSED" || (failed === 0 && warned === 0 && passed > 0), "passed with a failure in it");
        return result;
      },
    });
  },
};

/** Public keys, and key files that cosign wrote. Opening one takes 64 MiB and a quarter of a second on purpose. */
export const keyFiles: FuzzTarget = {
  name: "key-files",
  share: 0.5,
  open: async () => {
    const key = generateSigningKey(randomBytes);
    const password = "correct horse battery";
    const pem = writeCosignKey(key, { password, random: randomBytes });
    const body = Buffer.from(pem.split("\n").slice(1, -2).join(""), "base64").toString("utf8");
    const wrapped = (json: Uint8Array) => {
      const base64 = Buffer.from(json)
        .toString("base64")
        .replace(/.{1,64}/g, "$&\n");
      return Buffer.from(pem.replace(/\n[\s\S]+\n(?=-----END)/, () => `\n${base64}`));
    };
    const jsonOf = (value: unknown) => Buffer.from(JSON.stringify(value) ?? "null");
    return openTarget({
      inputs: fc.oneof(
        mutated([pem, key.publicKey.spkiPem], ["-----BEGIN PRIVATE KEY-----\n", "-----END PUBLIC KEY-----\n"]),
        mutated([body], ['"N":1073741824', '"r":8192', '"p":4096']).map(wrapped),
        edited([JSON.parse(body)], [1, 8, 16_384, 32_768, 65_536, 131_072]).map((value) => wrapped(jsonOf(value))),
      ),
      bytesOf: (bytes) => bytes.length,
      floorMs: 3000,
      feed(bytes) {
        const text = Buffer.from(bytes).toString("utf8");
        const secrets = [password, key.privateKey.export({ type: "pkcs8", format: "pem" }).toString()];
        const opened = readCosignKey(text, password);
        const published = parsePublicKey(text);
        for (const read of [opened, published]) if (!read.ok) checkLine(read.problem.message, secrets);
        return opened.ok ? "opened" : published.ok ? "public key" : "malformed";
      },
    });
  },
};

/** A copy of an audit log. No change of it may be taken for the log. */
export const auditCopies: FuzzTarget = {
  name: "audit-copies",
  share: 100,
  open: async () => {
    const whole = Buffer.from(auditLog(5).join(""));
    return openTarget({
      inputs: fc.record({
        bytes: mostly(mutated([whole, auditLog(0).join("")]), grown(['{"a":', "[", "\n", "{}\n", '"'], 600_000), 1000),
        cut: fc.integer({ min: 1, max: 4096 }),
      }),
      bytesOf: ({ bytes }) => bytes.length,
      feed({ bytes, cut }) {
        const verifier = exportVerifier();
        for (let at = 0; at < bytes.length; at += cut) verifier.push(bytes.subarray(at, at + cut));
        const verdict = verifier.finish();
        if (verdict.ok) {
          const text = Buffer.from(bytes).toString("utf8");
          holds(verdict.size === 0 || text === whole.toString("utf8"), "a changed copy was taken for the log");
          return "verified";
        }
        checkLine(verdict.reason);
        return "changed";
      },
    });
  },
};

function auditLog(size: number): string[] {
  const writer = exportWriter("acme");
  const entries = Array.from({ length: size }, (_, at) =>
    encodeEntry({
      version: 1,
      tenant: "acme",
      at: entryTime(1_795_000_000_000 + at * 1000),
      actor: { id: "alice", kind: "human" },
      action: "rollout.submit",
      subject: { type: "rollout", id: `r-${at}` },
      outcome: "accepted",
      details: { sequence: at, dryRun: at % 2 === 0 },
    }),
  );
  return [writer.header(), ...entries.map((bytes) => writer.entry(bytes)), writer.head()];
}
