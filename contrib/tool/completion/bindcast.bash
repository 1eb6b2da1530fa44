# Completion of bindcast for bash: commands and options as --help tells them, and the names that options take.

_bindcast() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]} program=${COMP_WORDS[0]}
  local words
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    words="$("$program" --help 2>/dev/null | sed -n '/^Subcommands:/,$s/^  \([a-z]\+\) .*/\1/p') --help --version"
  else
    case $previous in
      -t | --type) words=$("$program" types 2>/dev/null | awk '{ print $1 }') ;;
      -c | --category) words=$("$program" types 2>/dev/null | awk '{ print $2 }' | sort -u) ;;
      --min-priority | --priority) words="low normal high critical urgent" ;;
      --min-severity | --severity) words="debug info warning error critical" ;;
      --role) words="admin operator viewer publisher" ;;
      --since) words="last start" ;;
      --order) words="newest oldest" ;;
      --token-file | --cacert) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
      --url) words="ws://127.0.0.1:8353 wss:// unix:/" ;;
      --filter | -f | --until | --sample | -n | --count | --limit | --for | --label | --note | --user | --name | --id | \
        --data | --correlation-id) return ;;
      *)
        if [[ $command == check && $current != -* ]]; then
          mapfile -t COMPREPLY < <(compgen -f -- "$current")
          return
        fi
        if [[ $command == emit && $COMP_CWORD == 2 && $current != -* ]]; then
          words=$("$program" types 2>/dev/null | awk '{ print $1 }')
        else
          words=$("$program" "$command" --help 2>/dev/null | grep -oE '(^|[ ,])--[a-z-]+' | tr -d ' ,')
        fi
        ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _bindcast bindcast
