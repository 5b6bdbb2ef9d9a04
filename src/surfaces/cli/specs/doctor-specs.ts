import type { CommandGroup } from "../command-spec.ts";

export const doctorGroup: CommandGroup = {
  name: "doctor",
  summary: "Find what is wrong with this set-up, and how to mend it",
  commands: [
    {
      path: "doctor",
      summary: "Look at the machine, the data folder, ports, database, keys, policy and servers, and say what is wrong",
      details:
        "Works whether Continuum runs or not, and changes nothing. Each line says what was looked at, what was seen, and\nthe mend. Exit code 0 when everything works (notes may remain), 1 when something is broken. Of targets that this\nbuild has no driver for (sagemaker, braket) nothing is looked at.",
      examples: ["doctor", "doctor -o json", "doctor --config /etc/continuum.yaml --data-dir /var/lib/continuum"],
      load: async () => (await import("../commands/doctor.ts")).doctor,
    },
  ],
};
