/**
 * For roles that compile WebAssembly: glibc keeps what a compiler's thread has freed, and after Cedar that was 25 MiB a
 * process. Pieces of 32000 bytes and more (V8's compilers take 32 KiB at a time) are mapped each for itself with these
 * settings and go back to the system when they are freed. Not for the data plane, which reads a socket's 64 KiB with
 * each request. Another allocator than glibc's does not read them. Source: mallopt(3).
 */
export const LEAN_ALLOCATOR: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "32000",
  MALLOC_TRIM_THRESHOLD_: "65536",
};
