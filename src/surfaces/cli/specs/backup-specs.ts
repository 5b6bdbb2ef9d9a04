import type { CommandGroup } from "../command-spec.ts";
import { DATABASE } from "./shared-options.ts";

export const migrateGroup: CommandGroup = {
  name: "migrate",
  summary: "Bring the database to this program's schema",
  commands: [
    {
      path: "migrate",
      summary: "Bring the database to this program's schema, all of it or nothing; a step of every release",
      details:
        "An embedded database is brought forward by `start`; one of your own only by this, or by `start` with\n" +
        "migrateAtStart. There is no way back but a backup, and an older program refuses a newer schema.",
      options: [DATABASE, { flags: "--check", description: "only look; exit code 1 when there is something to do" }],
      examples: ["migrate --database-url env:DATABASE_URL", "migrate --check"],
      load: async () => (await import("../commands/migrate.ts")).migrate,
    },
  ],
};

export const backupGroup: CommandGroup = {
  name: "backup",
  summary: "Back up and restore: database, artifacts, settings; keys by reference",
  commands: [
    {
      path: "backup create",
      summary: "Write everything that matters into one tar file, while the server runs or stands still",
      details:
        "Keys are not in it: it names those that a restore needs by reference and fingerprint. The file holds plans,\n" +
        "history and encrypted models, is readable by its owner only, and appears whole or not at all.",
      options: [
        { flags: "-O, --out <file>", description: "the file to write; must not exist", required: true },
        DATABASE,
        {
          flags: "--postgres-bin <folder>",
          description:
            "binaries for an embedded database that an older PostgreSQL made, such as /usr/lib/postgresql/15/bin",
        },
      ],
      examples: ["backup create --out continuum.tar", "backup create --out /mnt/b/continuum.tar -o json"],
      load: async () => (await import("../commands/backup.ts")).backupCreate,
    },
    {
      path: "backup verify",
      summary: "Read a backup from end to end and compare it with what it says of itself",
      details:
        "Where the artifact store's key is at hand, also that the backup was sealed with it. Exit code 1 when it is damaged.",
      arguments: [{ name: "<file>", description: "made by `backup create`" }],
      examples: ["backup verify continuum.tar"],
      load: async () => (await import("../commands/backup.ts")).backupVerify,
    },
    {
      path: "backup restore",
      summary: "Bring a backup into an empty set-up; everything is verified before anything is put in force",
      details:
        "Stop the server first. The keys that the backup names must be in their places. Rollouts that had not ended go\n" +
        "on at the next `start`; tokens that were revoked since the backup are valid again until you revoke them.",
      arguments: [{ name: "<file>", description: "made by `backup create`" }],
      options: [
        DATABASE,
        {
          flags: "--new-admin-token",
          description: "make a token of `admin` for this user's commands, for when those of the backup are lost",
        },
      ],
      examples: [
        "backup restore continuum.tar --data-dir /var/lib/continuum",
        "backup restore continuum.tar --database-url env:DATABASE_URL",
      ],
      load: async () => (await import("../commands/backup.ts")).backupRestore,
    },
  ],
};
