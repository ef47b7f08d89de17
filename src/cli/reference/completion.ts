/** Scripts with which shells complete commands, options and values. @module */

import { type CommandRow, isPath, type OptionRow } from "./table.ts";

/** The shells that can be given a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Name of a shell. */
export type Shell = typeof SHELLS[number];

/** Returns the script for a shell. */
export function completionFor(shell: Shell, commands: readonly CommandRow[]): string {
  const all = [...commands, helpOf(commands)];
  return { bash, zsh, fish }[shell](all);
}

/** `sluice help COMMAND`, which the program makes by itself. */
function helpOf(commands: readonly CommandRow[]): CommandRow {
  const choices = commands.map(({ name }) => name);
  return {
    name: "help",
    description: "print the help of a command",
    usage: "sluice help [command]",
    arguments: [{ label: "[command]", description: "the command", initial: undefined, choices }],
    options: [],
    note: "",
  };
}

/** Where the script suggests nothing, bash completes names of files. */
function bash(commands: readonly CommandRow[]): string {
  const cases = commands.map((command) => {
    const valued = command.options.filter(({ optional, value }) =>
      value !== undefined && !optional
    );
    const values = valued.map((option) =>
      `        ${names(option).join("|")}) ${
        isPath(option.value!) ? "return" : `words="${option.choices.join(" ")}"; exact=1`
      } ;;`
    );
    const chosen = command.arguments.flatMap(({ choices }) => choices);
    const options = command.options.flatMap(names);
    return `    ${command.name})
      case "$previous" in
${values.join("\n")}
        *) if [[ $current == -* ]]; then words="${options.join(" ")}"; else words="${
      chosen.join(" ")
    }"; fi ;;
      esac ;;`;
  });
  return `# Completion of sluice for bash: source <(sluice completion bash)
_sluice() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words="" exact=""
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W "${
    commands.map(({ name }) => name).join(" ")
  } --help --version" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ -n $exact ]]; then compopt +o default 2>/dev/null; fi
}
complete -o default -F _sluice sluice
`;
}

function zsh(commands: readonly CommandRow[]): string {
  const cases = commands.map((command) => {
    const options = command.options.map((option) => {
      const text = `[${zshText(option.description)}]`;
      const value = option.value === undefined
        ? ""
        : `${option.optional ? "::" : ":"}${zshText(option.value)}:${
          zshValues(option.value, option.choices)
        }`;
      const all = names(option);
      return all.length === 1
        ? quoted(`${all[0]}${text}${value}`)
        : `${quoted(`(${all.join(" ")})`)}{${all.join(",")}}${quoted(`${text}${value}`)}`;
    });
    const others = command.arguments.map(({ choices, label }, index) => {
      const name = label.slice(1, -1);
      const separator = label.startsWith("[") ? "::" : ":";
      return quoted(`${index + 1}${separator}${zshText(name)}:${zshValues(name, choices)}`);
    });
    return `    ${command.name}) _arguments ${[...options, ...others].join(" \\\n      ")} ;;`;
  });
  const known = commands.map(({ description, name }) => quoted(`${name}:${zshText(description)}`));
  return `#compdef sluice
# Completion of sluice for zsh: sluice completion zsh > "\${fpath[1]}/_sluice"
_sluice() {
  local -a known=(
    ${known.join("\n    ")}
  )
  if (( CURRENT == 2 )); then
    _describe command known
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _sluice ]]; then _sluice "$@"; else compdef _sluice sluice; fi
`;
}

function fish(commands: readonly CommandRow[]): string {
  const lines = commands.flatMap((command) => {
    const within = `complete -c sluice -n '__fish_seen_subcommand_from ${command.name}'`;
    const chosen = command.arguments.flatMap(({ choices }) => choices);
    return [
      `complete -c sluice -f -n __fish_use_subcommand -a ${command.name} -d ${
        quoted(command.description)
      }`,
      ...command.options.map((option) => {
        const name = [
          ...option.short === undefined ? [] : [`-s ${option.short.slice(1)}`],
          `-l ${option.long.slice(2)}`,
        ].join(" ");
        const value = option.value === undefined || option.optional
          ? ""
          : option.choices.length > 0
          ? ` -x -a ${quoted(option.choices.join(" "))}`
          : isPath(option.value)
          ? " -r -F"
          : " -x";
        return `${within} ${name}${value} -d ${quoted(option.description)}`;
      }),
      ...chosen.length > 0 ? [`${within} -f -a ${quoted(chosen.join(" "))}`] : [],
    ];
  });
  return `# Completion of sluice for fish: sluice completion fish | source\n${lines.join("\n")}\n`;
}

function names({ long, short }: OptionRow): string[] {
  return short === undefined ? [long] : [short, long];
}

function zshValues(name: string, choices: readonly string[]): string {
  return choices.length > 0 ? `(${choices.join(" ")})` : isPath(name) ? "_files" : "";
}

/** Escapes what ends a part of a specification of `_arguments`. */
function zshText(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, (character) => `\\${character}`);
}

/** Quotes for any of the shells; fish alone reads a backslash before a quote within quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}
