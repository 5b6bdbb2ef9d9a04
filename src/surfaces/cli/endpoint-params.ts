import type { Environment, TargetName } from "../../core/plan/schema.ts";
import type { CommandContext } from "./command-context.ts";

/** The endpoint that the argument and the options name; commander has checked their words. */
export function endpointParams(context: CommandContext): {
  environment: Environment;
  target: TargetName;
  name: string;
} {
  return {
    environment: context.text("environment") as Environment,
    target: (context.text("target") ?? "local") as TargetName,
    name: context.argument(0),
  };
}
