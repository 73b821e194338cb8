#compdef promotiond
_arguments -S \
    '(-c --config)'{-c,--config=}'[the configuration file]:file:_files' \
    '(--check-config --list-strategies)--check[try what a start would, and exit]' \
    '(--check --list-strategies)--check-config[try what a reload would, and exit]' \
    '(--check --check-config)--list-strategies[list the strategies, and exit]' \
    '(- *)'{-V,--version}'[print the version]' \
    '(- *)'{-h,--help}'[print a help text]'
