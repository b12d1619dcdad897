/**
 * The scripts of `mq completions`. Each passes the words of the command line to `mq complete` and offers its answers. The
 * answers are data: no script evaluates or expands them, and special characters are quoted.
 *
 * @module
 */

/** For bash 4.4 and later. */
export const BASH = `
# Completions of mq for bash, made by: mq completions bash
_mq() {
  local -a words after
  local IFS=$' \\t\\n' typed prefix= line word quoting='[\\\\"'"'"']'
  COMPREPLY=()
  read -rd '' -a words <<< "\${COMP_LINE:0:COMP_POINT}|"
  read -rd '' -a after <<< "\${COMP_LINE:COMP_POINT}"
  typed=\${words[-1]%|}
  words[-1]=$typed
  words=("\${words[@]//$quoting}")
  # The part before a = is not in the word that bash completes.
  if [[ $COMP_WORDBREAKS == *=* && $typed == *=* ]]; then prefix=\${typed%"\${typed##*=}"}; fi
  while IFS= read -r line; do
    word=\${line%%$'\\t'*}
    if [[ $line == $'\\tfiles' ]]; then
      compopt -o default
    elif [[ $line == $'\\tcommands' ]]; then
      compopt -o default
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -c -- "$typed")
    elif [[ $typed != [\\'\\"]* ]]; then
      if [[ $word == *[!A-Za-z0-9_.,=-]* ]]; then printf -v word %q "$word"; fi
      COMPREPLY+=("\${word#"$prefix"}")
    elif [[ $word != *[\\'\\"\\\\\\$\\\`!]* ]]; then
      COMPREPLY+=("$word")
    fi
  done < <(mq complete -- $((\${#words[@]} - 2)) "\${words[@]:1}" "\${after[@]}" 2> /dev/null)
}
complete -F _mq mq
`.trim();

/** For zsh 5 and later, in a file of $fpath or sourced. */
export const ZSH = `
#compdef mq
# Completions of mq for zsh, made by: mq completions zsh
_mq() {
  local -a before after candidates
  local line
  before=("\${(@Q)words[2,CURRENT-1]}")
  after=("\${(@Q)words[CURRENT+1,-1]}")
  for line in "\${(@f)$(mq complete -- $#before "\${before[@]}" "\${(Q)PREFIX}" "\${after[@]}" 2> /dev/null)}"; do
    case $line in
      $'\\tfiles') compset -P '--*='; _files ;;
      $'\\tcommands') _command_names ;;
      ?*) candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  if (( $#candidates )); then _describe mq candidates; fi
}
if [[ $funcstack[1] == _mq ]]; then _mq "$@"; else compdef _mq mq; fi
`.trim();

/** For fish 3 and later. */
export const FISH = `
# Completions of mq for fish, made by: mq completions fish
function __mq_complete
    set -l before (commandline -opc)
    set -l after (commandline -op)
    set -l typed (commandline -ct)
    set -e after[1..(count $before)]
    test -n "$typed"; and set -e after[1]
    set -e before[1]
    set -l word (string replace -ra '[\\'"\\\\\\\\]' '' -- "$typed")
    for line in (mq complete -- (count $before) $before "$word" $after 2>/dev/null)
        switch $line
            case \\tfiles
                set -l prefix (string match -r -- '^--[^=]*=' "$typed")
                string replace -r -- '^' "$prefix" (__fish_complete_path (string replace -- "$prefix" '' "$typed"))
            case \\tcommands
                __fish_complete_command
            case '*'
                printf '%s\\n' $line
        end
    end
end
complete -c mq -f -a '(__mq_complete)'
`.trim();
