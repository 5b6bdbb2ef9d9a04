import type { ClientSettings } from "./client-settings.ts";
import type { Config } from "./schema.ts";

/** What `doctor` is to look at. */
export interface DoctorOptions {
  config: Config;
  /** Where the commands of this user would send their requests; undefined when that cannot be told. */
  server: Pick<ClientSettings, "url" | "token"> | undefined;
}
