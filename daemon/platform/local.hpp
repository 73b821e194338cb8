// Platform `local`: Pipelines from a directory of YAML files, secrets from a directory laid out as
// mounted Kubernetes Secrets are: <secrets>/<namespace>/<name>/<key>. Both are watched (inotify,
// and a slow look in case a file system does not tell); changes are taken without a restart.
#pragma once

#include <filesystem>
#include <memory>

#include "platform/platform.hpp"

namespace promotiond::platform {

// Files *.yaml and *.yml below the directory, any depth, symlinks followed only as Kubernetes makes
// them (..data). One file may hold several documents. Documents of other kinds are problems that
// harm no Pipeline beside them. A Pipeline goes when its file does, or when the file is read well
// without it; an empty or broken file keeps the last good version. Limits: 1 MiB a file.
[[nodiscard]] std::unique_ptr<PipelineSource> local_pipelines(std::filesystem::path directory);

// Values are cached until the file changes. Files readable by others are served with a warning
// once. A secret without such a folder is looked for as systemd's LoadCredential=secrets:... lays
// it down: <directory>/secrets_<namespace>_<name>_<key>.
[[nodiscard]] std::unique_ptr<SecretStore> local_secrets(std::filesystem::path directory);

}  // namespace promotiond::platform
