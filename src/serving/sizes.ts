import { availableParallelism } from "node:os";
import { ContinuumError } from "../core/error.ts";

/** What one replica of an instance type may use on this host. */
export interface ReplicaSize {
  threads: number;
  memoryBytesMax: number;
}

const MEBIBYTE = 1024 * 1024;
const MEMORY_MIB_PER_VCPU = 256;
/** On a host of one's own the cloud's instance types are sizes: `ml.m5.xlarge` is "xlarge", whatever the family. */
const VCPU: Readonly<Record<string, number>> = {
  medium: 2,
  large: 2,
  xlarge: 4,
  "2xlarge": 8,
  "4xlarge": 16,
  "8xlarge": 32,
  "12xlarge": 48,
  "16xlarge": 64,
  "24xlarge": 96,
  "48xlarge": 192,
};

export function replicaSize(instanceType: string): ReplicaSize {
  const size = instanceType.split(".").at(-1) ?? "";
  const vcpu = Object.hasOwn(VCPU, size) ? VCPU[size] : undefined;
  if (vcpu === undefined)
    throw new ContinuumError(
      "not-available",
      `instance type "${instanceType}" has no size on this host: it must end in one of ${Object.keys(VCPU).join(", ")}`,
    );
  return { threads: Math.min(vcpu, availableParallelism()), memoryBytesMax: vcpu * MEMORY_MIB_PER_VCPU * MEBIBYTE };
}
