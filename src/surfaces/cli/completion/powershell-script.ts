import { type CompletedPlace, type Completes, valuedOptions } from "./completion-model.ts";

/** A script for PowerShell 5.1 and newer, for the profile. */
export function powershellScript(places: readonly CompletedPlace[]): string {
  return `# Completion of continuum for PowerShell: continuum completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName continuum -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $valued = @(${valuedOptions(places).map(quoted).join(", ")})
  $places = @{
${places.map(placeEntry).join("\n")}
  }
${ENGINE}}
`;
}

const ENGINE = `  $place = ''; $index = 0; $before = ''; $pass = $false
  $elements = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition -or ($_.Extent.EndOffset -eq $cursorPosition -and $wordToComplete -eq '') })
  foreach ($element in ($elements | Select-Object -Skip 1)) {
    $word = $element.Extent.Text
    if ($pass) { $pass = $false; $before = ''; continue }
    $before = ''
    if ($valued -ccontains $word) { $pass = $true; $before = $word }
    elseif ($word.StartsWith('-')) { $before = $word }
    elseif ($index -eq 0 -and $places[$place].commands.Contains($word)) { $place = "$place $word".Trim() }
    else { $index += 1 }
  }
  $here = $places[$place]
  $found = $null
  if ($before -ne '' -and $here.values.Contains($before)) { $found = $here.values[$before] }
  elseif ($pass) { return }
  elseif ($wordToComplete.StartsWith('-')) { $found = $here.options }
  elseif ($here.commands.Count -gt 0 -and $index -eq 0) { $found = $here.commands }
  elseif ($index -lt $here.arguments.Count) { $found = $here.arguments[$index] }
  if ($found -is [string]) {
    Get-ChildItem -Path "$wordToComplete*" -Directory:($found -eq 'folder') -ErrorAction SilentlyContinue | ForEach-Object {
      $text = (Split-Path -Parent $wordToComplete | Where-Object { $_ } | ForEach-Object { Join-Path $_ '' }) + $_.Name
      if ($text.Contains(' ')) { $text = "'$text'" }
      [System.Management.Automation.CompletionResult]::new($text, $_.Name, 'ProviderItem', $_.FullName)
    }
    return
  }
  if ($null -eq $found) { return }
  foreach ($entry in $found.GetEnumerator()) {
    if ($entry.Key -clike "$wordToComplete*") {
      $tip = if ($entry.Value) { $entry.Value } else { $entry.Key }
      [System.Management.Automation.CompletionResult]::new($entry.Key, $entry.Key, 'ParameterValue', $tip)
    }
  }
`;

function placeEntry({ path, commands, options, arguments: all }: CompletedPlace): string {
  const values = options
    .filter(({ value, completes }) => value !== "none" && completes !== undefined)
    .flatMap(({ names, completes }) => names.map((name) => `${quoted(name)} = ${offered(completes)}`));
  return [
    `    ${quoted(path)} = @{`,
    `      commands = ${table(commands.map(({ name, description }) => [name, description]))}`,
    `      options = ${table(options.flatMap(({ names, description }) => names.map((name) => [name, description] as const)))}`,
    `      values = @{ ${values.join("; ")} }`,
    `      arguments = @(${all.map(({ completes }) => offered(completes)).join(", ")})`,
    "    }",
  ].join("\n");
}

/** Ordered, so that what comes first in the help comes first here. */
function table(entries: readonly (readonly [string, string])[]): string {
  return `[ordered]@{ ${entries.map(([word, text]) => `${quoted(word)} = ${quoted(text)}`).join("; ")} }`;
}

function offered(completes: Completes): string {
  if (completes === undefined) return "$null";
  return typeof completes === "string" ? quoted(completes) : table(completes.words.map((word) => [word, ""]));
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
