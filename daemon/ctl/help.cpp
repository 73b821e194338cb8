#include "ctl/commands.hpp"

namespace promotiond::ctl {

std::string help_text() {
    return R"(Examples:
  promotionctl pipelines                             what runs where
  promotionctl why flux-system/podinfo               what each environment waits for, and what would unblock it
  promotionctl plan flux-system/podinfo prod 6.0.1   the diff and pull request it would make, without any effect
  promotionctl approve flux-system/podinfo prod 6.0.1
  promotionctl promotions --unfinished --output json
  promotionctl validate pipelines/*.yaml             without a server

Usage: promotionctl COMMAND [OPERANDS] [OPTIONS]

Commands:
  pipelines                              all pipelines, with the revision of each environment
  pipelines PIPELINE                     one of them, by environment and target
  promotions                             promotions, the newest first
        --pipeline P --environment E --phase PHASE --unfinished --limit N --after ID
  show ID                                one promotion with its history
  why PIPELINE [ENVIRONMENT]             what it waits for, since when, what would unblock it
  plan PIPELINE ENVIRONMENT REVISION     what a promotion would do            [--target T]
  approve PIPELINE ENVIRONMENT REVISION  let exactly this revision go         [--target T]
  retry ID                               try a failed or cancelled one again
  cancel ID                              give a promotion up
  validate FILE...                       check Pipeline files as the daemon reads them; a named server is also
                                         asked whether it has a strategy for each (whether settings fit their
                                         strategy, only the daemon tells)
  plugins                                the strategies the daemon has loaded, and the refused ones
  version                                of this program and of the server
  new --group G --app A --tag T          in CI, as gitops-promotion: propose a tag for the first environment
  promote                                in CI: propose what was merged for the next environment
  status                                 in CI: wait until the environment before runs well
  feature --feature F                    in CI: show a feature in the first environment
  feature-stale --max-age D              in CI: remove features that have not changed for so long
        --provider P --token T --token-file FILE --sourcedir DIR --api-url URL; COMMAND --help tells more

PIPELINE is NAMESPACE/NAME, or NAME with --namespace.

Options:
  --server URL       where promotiond listens; PROMOTIONCTL_SERVER; default http://127.0.0.1:8082
  --token-file FILE  holds the bearer token; PROMOTIONCTL_TOKEN_FILE
  --ca-file FILE     PEM certificates to trust instead of the system's; PROMOTIONCTL_CA_FILE
  --namespace, -n N  namespace of a PIPELINE without one; default "default"
  --output, -o WHAT  table (default) or json
  --help, --version

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 75 try again later.
)";
}

}  // namespace promotiond::ctl
