/** What the machine refused, worded for whoever runs the program. */
export interface SystemRefusal {
  code: "address-in-use" | "not-permitted" | "read-only" | "disk-full" | "too-many-open-files" | "folder-not-made";
  message: string;
}

const LOOK = "`continuum doctor` looks closer";

/** The refusals of a machine that an operator can mend; undefined for every other error. */
export function systemRefusal(error: unknown): SystemRefusal | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path, syscall, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const place = path ?? (address === undefined ? "" : `${address}:${port ?? ""}`);
  switch (code) {
    case "EADDRINUSE":
      return {
        code: "address-in-use",
        message: `another program listens on ${place}: stop it, or set another port (0 picks a free one); ${LOOK}`,
      };
    case "EACCES":
    case "EPERM":
      return {
        code: "not-permitted",
        message: `this user may not use ${place || "what is needed"} (${syscall}); ${LOOK}`,
      };
    case "EROFS":
      return {
        code: "read-only",
        message: `${place || "the data folder"} is on a read-only file system: mount it writable, or name another folder with --data-dir`,
      };
    case "ENOSPC":
    case "EDQUOT":
      return fullDisk(place);
    case "EMFILE":
    case "ENFILE":
      return {
        code: "too-many-open-files",
        message: "too many open files: raise the limit (`ulimit -n 4096`, LimitNOFILE= in systemd) and start again",
      };
    case "ENOENT":
      // Node says this of a folder that is to be made on a read-only file system.
      if (syscall !== "mkdir") return undefined;
      return {
        code: "folder-not-made",
        message: `${place} cannot be made: what it lies in is missing or read-only; ${LOOK}`,
      };
    default:
      return /No space left on device/.test(error.message) ? fullDisk("") : undefined;
  }
}

function fullDisk(place: string): SystemRefusal {
  const where = place === "" ? "" : ` at ${place}`;
  return {
    code: "disk-full",
    message: `the disk is full${where}: free space and start again; what was committed is kept`,
  };
}
