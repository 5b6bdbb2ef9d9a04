import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import type { PlanInput } from "../src/core/plan/schema.ts";
import { gateRefusals } from "../src/engine/gate.ts";
import {
  canonicalBytes,
  type EvidenceKit,
  evidenceKit,
  planWith,
  tinyModel,
} from "../src/service/testing/evidence-kit.ts";
import { type ServiceFixture, serviceFixture } from "../src/service/testing/service-fixture.ts";
import { holdTestServer } from "../src/store/testing/test-database.ts";
import { type BenchOptions, type Figure, type Measurement, must, quantile } from "./measure.ts";

const PEER = "@sigstore/verify, the same bundles alone: no artifact, no approval, no policy, no database";
const MIB = 1024 * 1024;
const BASELINE = `a,b,churned\n${"1,2,0\n3,4.5,1\n".repeat(500)}`;

/**
 * What a gate does with a production plan of the full level: the plan's digest, four signed pieces of evidence, the
 * artifact decrypted and hashed, the baseline compared with the model, the approver's statement and signature, the dry
 * run, and the policy over all of it. The peer verifies the same bundles and nothing else.
 */
export const measureVerification: Measurement = async (options) => {
  const server = await holdTestServer();
  try {
    const on = await serviceFixture();
    try {
      const kit = await evidenceKit(on);
      return [
        ...(await measurePlan(options, { on, kit, name: "small", sizeMib: 0 })),
        ...(await measurePlan(options, { on, kit, name: "large", sizeMib: 64 })),
      ];
    } finally {
      await on.close();
    }
  } finally {
    await server.release();
  }
};

interface Setting {
  on: ServiceFixture;
  kit: EvidenceKit;
  name: string;
  sizeMib: number;
}

async function measurePlan(options: BenchOptions, setting: Setting): Promise<Figure[]> {
  const { on, sizeMib, name } = setting;
  const { plan, rolloutId } = await approvedPlan(setting);
  const ask = () => gateRefusals(on.workerParts, "default", rolloutId, "verify");
  const refusals = await ask();
  must(refusals.length === 0, `the gate is open: ${JSON.stringify(refusals)}`);
  const theirs = await peerOf(on, setting.kit, plan);
  const samples = { ours: [] as number[], theirs: [] as number[] };
  let cpuMicros = 0;
  const rounds = sizeMib > 0 ? (options.quick ? 20 : 80) : options.quick ? 200 : 1000;
  for (let round = -10; round < rounds; round += 1) {
    const before = process.cpuUsage();
    const ours = await timed(ask);
    const { user, system } = process.cpuUsage(before);
    const peer = await timed(async () => theirs());
    if (round < 0) continue;
    cpuMicros += user + system;
    samples.ours.push(ours);
    samples.theirs.push(peer);
  }
  const of = (share: number) => ({ value: quantile(samples.ours, share), peerValue: quantile(samples.theirs, share) });
  const what = sizeMib > 0 ? `a production plan with a model of ${sizeMib} MiB` : "a production plan";
  options.say(`${name}: ${rounds} rounds`);
  return [
    { name: `verifying ${what} p50`, unit: "ms", ...of(0.5), peer: PEER, aim: sizeMib > 0 ? null : { below: 50 } },
    { name: `verifying ${what} p99`, unit: "ms", ...of(0.99), peer: PEER, aim: null },
    {
      ...{ name: `verifying ${what}, processor time`, unit: "ms", value: cpuMicros / rounds / 1000, aim: null },
      ...{ peer: "none: this process alone, without PostgreSQL's", peerValue: null },
    },
  ];
}

/** A production plan that waits for a worker, with everything its level asks for. */
async function approvedPlan({ on, kit, name, sizeMib }: Setting): Promise<{ plan: PlanInput; rolloutId: string }> {
  const admin = await on.admin();
  const bytes = padded(tinyModel(name), sizeMib);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  await on.call("artifacts.put", admin, { params: { digest }, body: bytes });
  const image = `registry.example/models/${name}@sha256:${createHash("sha256").update(name).digest("hex")}`;
  const made = { artifact: `store:${digest}`, name, image, environment: "production" as const, dryRun: false };
  const plan = planWith(made, await kit.table(BASELINE));
  await kit.giveEvidence(plan);
  const ci = await on.principal(`ci-${name}`, "service", ["proposer", "operator"]);
  await dryRun(on, ci, plan);
  const waiting = await on.call("plans.submit", ci, { body: { plan } });
  await (await kit.approver(`approver-${name}`)).approve(waiting);
  return { plan, rolloutId: waiting.id };
}

async function dryRun(on: ServiceFixture, by: Parameters<ServiceFixture["call"]>[1], plan: PlanInput): Promise<void> {
  const dry = { ...plan, spec: { ...plan.spec, dryRun: true } };
  const { id } = await on.call("plans.submit", by, { body: { plan: dry } });
  const worker = await on.worker();
  await on.until(id, ["DryRunCompleted"]);
  await worker.stop(2000);
}

/** The model with a remark of that many bytes in it (`doc_string`, field 6), which every reader skips. */
function padded(model: Uint8Array, sizeMib: number): Buffer {
  if (sizeMib === 0) return Buffer.from(model);
  let length = sizeMib * MIB;
  const varint: number[] = [];
  for (; length >= 0x80; length >>>= 7) varint.push((length & 0x7f) | 0x80);
  return Buffer.concat([model, Buffer.from([0x32, ...varint, length]), Buffer.alloc(sizeMib * MIB, "x")]);
}

/** Verifies the plan's stored bundles with Sigstore's own library, each by its key. */
async function peerOf(on: ServiceFixture, kit: EvidenceKit, plan: PlanInput): Promise<() => void> {
  const subjects = [
    plan.spec.model.artifact.slice("store:".length),
    plan.spec.model.image?.split("@")[1] ?? "",
    `sha256:${createHash("sha256").update(canonicalBytes(plan)).digest("hex")}`,
  ];
  const { rows } = await on.database.query<{ kind: string; bundle: Buffer }>(
    "SELECT kind, bundle FROM evidence WHERE subject_digest = ANY ($1::text[])",
    [subjects],
  );
  must(rows.length === 4, `a full level has four signed pieces: ${rows.map(({ kind }) => kind).join(", ")}`);
  const purposes = { tests: "tests", provenance: "provenance", "image-signature": "image" } as const;
  const message = canonicalBytes(plan);
  const asked = rows.map(({ kind, bundle }) => {
    const purpose = kind in purposes ? purposes[kind as keyof typeof purposes] : "manifest";
    const key = createPublicKey(kit.keys[purpose].publicKey.spkiPem);
    return { text: bundle.toString("utf8"), verifier: verifierFor(key), isMessage: purpose === "manifest" };
  });
  return () => {
    for (const { text, verifier, isMessage } of asked) {
      verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(text)), isMessage ? message : undefined));
    }
  };
}

function verifierFor(publicKey: KeyObject): Verifier {
  const nothing = TrustedRoot.fromJSON({ mediaType: "", tlogs: [], certificateAuthorities: [], ctlogs: [] });
  const material = toTrustMaterial(nothing, () => ({ publicKey, validFor: () => true }));
  return new Verifier(material, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
