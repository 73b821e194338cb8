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
            --server | --token-file | --ca-file | --output | -o | --namespace | -n | --pipeline | --environment | --phase | --limit | --after | --target | --provider | --token | --sourcedir | --group | --app | --tag | --feature | --max-age | --api-url)
                [ "${COMP_WORDS[i + 1]}" = "=" ] && i=$((i + 1))
                i=$((i + 1)) ;;
            -*) ;;
            *) command=$word; break ;;
        esac
    done

    local options='--server --token-file --ca-file --namespace --output --help --version' choice=
    local flow='--provider --token --token-file --sourcedir --ca-file --api-url --help'
    case $command in
        promotions) options+=' --pipeline --environment --phase --unfinished --limit --after' ;;
        plan | approve) options+=' --target' ;;
        new) options="$flow --group --app --tag" ;;
        promote | status) options=$flow ;;
        feature) options="$flow --group --app --tag --feature" ;;
        feature-stale) options="$flow --max-age" ;;
    esac
    case $previous in
        --token-file | --ca-file | --sourcedir) _promotionctl_files; return ;;
        --provider) choice='azdo github' ;;
        --output | -o) choice='table json' ;;
        --phase) choice='Queued AwaitingApproval Running Pending Succeeded Failed Superseded Cancelled' ;;
        --server | --namespace | -n | --pipeline | --environment | --limit | --after | --target | --token | --group | --app | --tag | --feature | --max-age | --api-url) return ;;
        *)
            case $command,$current in
                *,-*) choice=$options ;;
                ,*) choice='pipelines promotions show why plan approve retry cancel validate plugins version new promote status feature feature-stale' ;;
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
