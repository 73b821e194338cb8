#compdef promotionctl
local -a commands common flow image
commands=(
    'pipelines:all pipelines, or one of them'
    'promotions:promotions, the newest first'
    'show:one promotion with its history'
    'why:what a pipeline waits for'
    'plan:what a promotion would do'
    'approve:let exactly this revision go'
    'retry:try a failed promotion again'
    'cancel:give a promotion up'
    'validate:check Pipeline files'
    'plugins:the strategies of the daemon'
    'version:of this program and of the server'
    'new:propose a tag for the first environment, in CI'
    'promote:propose what was merged for the next environment, in CI'
    'status:wait until the environment before runs well, in CI'
    'feature:show a feature in the first environment, in CI'
    'feature-stale:remove old features, in CI'
)
flow=(
    '--provider=[the forge]:forge:(azdo github)'
    '--token=[access token]:token:'
    '--token-file=[holds the token]:file:_files'
    '--sourcedir=[the checkout]:directory:_files -/'
    '--ca-file=[certificates to trust]:file:_files'
    '--api-url=[where the API is]:URL:_urls'
    '(- *)'{-h,--help}'[print a help text]'
)
image=('--group=[directory of the group]:group:' '--app=[the application]:application:' '--tag=[the tag]:tag:')
common=(
    '--server=[where promotiond listens]:URL:_urls'
    '--token-file=[holds the bearer token]:file:_files'
    '--ca-file=[certificates to trust]:file:_files'
    '(-n --namespace)'{-n,--namespace=}'[namespace of a pipeline without one]:namespace:'
    '(-o --output)'{-o,--output=}'[how to print]:format:(table json)'
    '(- *)'{-h,--help}'[print a help text]'
    '(- *)--version[print the version]'
)

local curcontext=$curcontext state line
_arguments -C -S $common '1:command:->command' '*::operand:->operand'
case $state in
    command) _describe command commands ;;
    operand)
        case $line[1] in
            promotions)
                _arguments -S $common \
                    '--pipeline=[of one pipeline]:pipeline:' \
                    '--environment=[of one environment]:environment:' \
                    '--phase=[in one phase]:phase:(Queued AwaitingApproval Running Pending Succeeded Failed Superseded Cancelled)' \
                    '--unfinished[only those not at an end]' \
                    '--limit=[how many]:number:' \
                    '--after=[from behind this one]:id:' ;;
            plan | approve) _arguments -S $common '--target=[one target]:target:' '*:operand:' ;;
            validate) _arguments -S $common '*:Pipeline file:_files -g "*.(yaml|yml)"' ;;
            new) _arguments -S $flow $image ;;
            promote | status) _arguments -S $flow ;;
            feature) _arguments -S $flow $image '--feature=[its name]:feature:' ;;
            feature-stale) _arguments -S $flow '--max-age=[how long without a change]:duration:' ;;
            *) _arguments -S $common '*:operand:' ;;
        esac ;;
esac
