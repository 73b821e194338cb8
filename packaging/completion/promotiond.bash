# bash completion for promotiond(8)
_promotiond() {
    local current=$2 previous=$3
    COMPREPLY=()
    # "=" may split a word, as readline takes it apart.
    [ "$current" = "=" ] && current=
    [ "$previous" = "=" ] && previous=${COMP_WORDS[COMP_CWORD - 2]}
    case $previous in
        -c | --config) mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames 2>/dev/null ;;
        *) mapfile -t COMPREPLY < <(compgen -W '--config --check --check-config --list-strategies --version --help' -- "$current") ;;
    esac
}
complete -F _promotiond promotiond
