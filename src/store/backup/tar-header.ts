/** The POSIX ustar form (IEEE 1003.1, pax interchange: ustar), so that any `tar` lists and unpacks a backup. */

export const BLOCK_BYTES = 512;

export interface TarEntry {
  path: string;
  sizeBytes: number;
}

const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const CHECKSUM_AT = 148;
/** What eleven octal digits hold; a larger size is written in base 256, as GNU tar does. */
const OCTAL_SIZE_MAX = 8 ** 11 - 1;

/** A regular file's header, mode 0600. `path` is ASCII. Throws for one that ustar cannot hold. */
export function tarHeader({ path, sizeBytes }: TarEntry, atMs: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const { prefix, name } = splitPath(path);
  block.write(name, 0, "latin1");
  block.write("0000600\0", 100, "latin1");
  block.write("0000000\0", 108, "latin1");
  block.write("0000000\0", 116, "latin1");
  writeSize(block, sizeBytes);
  block.write(`${octal(Math.floor(atMs / 1000), 11)}\0`, 136, "latin1");
  block.write("0", 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  block.write(prefix, 345, "latin1");
  block.write(`${octal(checksum(block), 6)}\0 `, CHECKSUM_AT, "latin1");
  return block;
}

/** The entry of a header; undefined for a block of zeros, which begins the end; `damaged` when it is neither. */
export function readTarHeader(block: Buffer): TarEntry | undefined | "damaged" {
  if (block.every((byte) => byte === 0)) return undefined;
  const stated = Number.parseInt(textAt(block, CHECKSUM_AT, 8), 8);
  if (stated !== checksum(block) || textAt(block, 257, 5) !== "ustar" || block[156] !== 0x30) return "damaged";
  const sizeBytes = readSize(block);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) return "damaged";
  const prefix = textAt(block, 345, PREFIX_BYTES);
  const name = textAt(block, 0, NAME_BYTES);
  return { path: prefix === "" ? name : `${prefix}/${name}`, sizeBytes };
}

/** Zeros that follow a content, up to the next block. */
export function paddingBytes(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

function splitPath(path: string): { prefix: string; name: string } {
  if (path.length <= NAME_BYTES) return { prefix: "", name: path };
  const at = path.indexOf("/", path.length - NAME_BYTES - 1);
  if (at < 0 || at > PREFIX_BYTES) throw new Error(`broken invariant: a tar header cannot hold the path ${path}`);
  return { prefix: path.slice(0, at), name: path.slice(at + 1) };
}

function writeSize(block: Buffer, sizeBytes: number): void {
  if (sizeBytes <= OCTAL_SIZE_MAX) {
    block.write(`${octal(sizeBytes, 11)}\0`, 124, "latin1");
    return;
  }
  block[124] = 0x80;
  block.writeBigUInt64BE(BigInt(sizeBytes), 128);
}

function readSize(block: Buffer): number {
  if (block[124] === 0x80) return Number(block.readBigUInt64BE(128));
  const text = textAt(block, 124, 12);
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

/** The sum of all bytes, with the checksum's own eight counted as spaces. */
function checksum(block: Buffer): number {
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= CHECKSUM_AT && at < CHECKSUM_AT + 8 ? 0x20 : byte;
  return sum;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function textAt(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? length : end).trim();
}
