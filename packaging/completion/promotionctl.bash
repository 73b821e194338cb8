# bash completion for promotionctl(1)
_promotionctl() {
    local current=$2 previous=$3 command= word i
    COMPREPLY=()
    # "=" may split a word, as readline takes it apart.
    [ "$current" = "=" ] && current=
    [ "$previous" = "=" ] && previous=${COMP_WORDS[COMP_CWORD - 2]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --server | --token-file | --ca-file | --output | -o | --namespace | -n | --pipeline | --environment | --phase | --limit | --after | --target)
                [ "${COMP_WORDS[i + 1]}" = "=" ] && i=$((i + 1))
                i=$((i + 1)) ;;
            -*) ;;
            *) command=$word; break ;;
        esac
    done

    local options='--server --token-file --ca-file --namespace --output --help --version' choice=
    case $command in
        promotions) options+=' --pipeline --environment --phase --unfinished --limit --after' ;;
        plan | approve) options+=' --target' ;;
    esac
    case $previous in
        --token-file | --ca-file) _promotionctl_files; return ;;
        --output | -o) choice='table json' ;;
        --phase) choice='Queued AwaitingApproval Running Pending Succeeded Failed Superseded Cancelled' ;;
        --server | --namespace | -n | --pipeline | --environment | --limit | --after | --target) return ;;
        *)
            case $command,$current in
                *,-*) choice=$options ;;
                ,*) choice='pipelines promotions show why plan approve retry cancel validate plugins version' ;;
                validate,*) _promotionctl_files; return ;;
            esac ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$choice" -- "$current")
}

_promotionctl_files() {
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
}
complete -F _promotionctl promotionctl
