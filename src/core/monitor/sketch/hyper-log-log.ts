import { hashNumber, hashText, newestHash } from "./hash-64.ts";
import { damaged, type SketchReader, type SketchWriter } from "./sketch-bytes.ts";

const PRECISION_BITS = 12;
const REGISTERS = 2 ** PRECISION_BITS;
/** One place more than the hash has bits beside the register's number. */
const RANK_MAX = 64 - PRECISION_BITS + 1;
/** Of the tail 1 / (2 ln 2), to which the sum of all registers converges (Ertl 2017, section 4). */
const ALPHA_INFINITY = 0.5 / Math.LN2;
/** Below so many registers in use, their numbers and ranks one by one take fewer bytes than all ranks in six bits. */
const SPARSE_MAX = 1500;

/**
 * How many different values came, in 4 KiB: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007) over a 64-bit hash,
 * with Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches", arXiv 1702.01284), which
 * becomes linear counting for few values by itself and has no range of bias in between. The standard error is
 * 1.04 / sqrt(4096) = 1.6 %.
 */
export class HyperLogLog {
  #registers: Uint8Array | null = null;

  addNumber(value: number): void {
    hashNumber(value);
    this.#addHash();
  }

  addText(text: string): void {
    hashText(text);
    this.#addHash();
  }

  merge(other: HyperLogLog): void {
    if (other.#registers === null) return;
    this.#registers ??= new Uint8Array(REGISTERS);
    for (let at = 0; at < REGISTERS; at += 1) this.#raise(this.#registers, at, other.#registers[at] ?? 0);
  }

  estimate(): number {
    if (this.#registers === null) return 0;
    const ranks = new Uint32Array(RANK_MAX + 1);
    for (const rank of this.#registers) ranks[rank] = (ranks[rank] ?? 0) + 1;
    let sum = REGISTERS * tau(1 - (ranks[RANK_MAX] ?? 0) / REGISTERS);
    for (let rank = RANK_MAX - 1; rank >= 1; rank -= 1) sum = 0.5 * (sum + (ranks[rank] ?? 0));
    sum += REGISTERS * sigma((ranks[0] ?? 0) / REGISTERS);
    return (ALPHA_INFINITY * REGISTERS * REGISTERS) / sum;
  }

  get memoryBytes(): number {
    return this.#registers === null ? 0 : REGISTERS;
  }

  encode(to: SketchWriter): void {
    const registers = this.#registers;
    const used = registers === null ? 0 : registers.reduce((count, rank) => count + (rank > 0 ? 1 : 0), 0);
    to.count(used);
    if (registers === null || used === 0) return;
    if (used > SPARSE_MAX) {
      to.bytes(packed(registers));
      return;
    }
    let before = -1;
    for (let at = 0; at < REGISTERS; at += 1) {
      const rank = registers[at] ?? 0;
      if (rank === 0) continue;
      to.count(at - before - 1);
      to.byte(rank);
      before = at;
    }
  }

  static decode(from: SketchReader): HyperLogLog {
    const sketch = new HyperLogLog();
    const used = from.length(REGISTERS, 0);
    if (used === 0) return sketch;
    const registers = new Uint8Array(REGISTERS);
    if (used > SPARSE_MAX) unpack(from, registers);
    else {
      let at = -1;
      for (let entry = 0; entry < used; entry += 1) {
        at += from.count() + 1;
        if (at >= REGISTERS) damaged("a register that does not exist");
        registers[at] = from.byte();
      }
    }
    if (registers.some((rank) => rank > RANK_MAX)) damaged("a rank above the highest");
    sketch.#registers = registers;
    return sketch;
  }

  #addHash(): void {
    this.#registers ??= new Uint8Array(REGISTERS);
    const { high, low } = newestHash;
    const rest = (high << PRECISION_BITS) >>> 0;
    // The rank is the place of the first 1 in the 52 bits that follow the register's number.
    const zeros = rest !== 0 ? Math.clz32(rest) : 32 - PRECISION_BITS + Math.clz32(low);
    this.#raise(this.#registers, high >>> (32 - PRECISION_BITS), zeros + 1);
  }

  #raise(registers: Uint8Array, at: number, rank: number): void {
    if (rank > (registers[at] ?? 0)) registers[at] = rank;
  }
}

/** Ertl's sigma: what empty registers contribute. */
function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let x = share;
  let y = 1;
  let sum = x;
  for (let before = -1; sum !== before; ) {
    x *= x;
    before = sum;
    sum += x * y;
    y += y;
  }
  return sum;
}

/** Ertl's tau: what registers that are full contribute. */
function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let y = 1;
  let sum = 1 - x;
  for (let before = -1; sum !== before; ) {
    x = Math.sqrt(x);
    before = sum;
    y *= 0.5;
    sum -= (1 - x) ** 2 * y;
  }
  return sum / 3;
}

/** Four ranks of six bits in three bytes. */
function packed(registers: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((REGISTERS / 4) * 3);
  for (let from = 0, to = 0; from < REGISTERS; from += 4, to += 3) {
    const [a = 0, b = 0, c = 0, d = 0] = registers.subarray(from, from + 4);
    bytes[to] = a | (b << 6);
    bytes[to + 1] = (b >> 2) | (c << 4);
    bytes[to + 2] = (c >> 4) | (d << 2);
  }
  return bytes;
}

function unpack(from: SketchReader, registers: Uint8Array): void {
  const bytes = from.bytes((REGISTERS / 4) * 3);
  for (let at = 0, to = 0; to < REGISTERS; at += 3, to += 4) {
    const [x = 0, y = 0, z = 0] = bytes.subarray(at, at + 3);
    registers[to] = x & 63;
    registers[to + 1] = (x >> 6) | ((y & 15) << 2);
    registers[to + 2] = (y >> 4) | ((z & 3) << 4);
    registers[to + 3] = z >> 2;
  }
}
