# The git half of the kit, and the library that both halves make up.
add_library(promotiond_gitops STATIC
    git_address.cpp
    git_cache.cpp
    git_checkout.cpp
    git_holding.cpp
    git_http.cpp
    git_http_answer.cpp
    git_library.cpp
    git_packs.cpp
    git_push_queue.cpp
    git_remote.cpp
    git_ssh.cpp
    git_tls.cpp
    git_transport.cpp
    git_waiting.cpp
    mirror.cpp
    mirror_history.cpp
    mirror_push.cpp
    mirror_read.cpp
    mirror_state.cpp
    mirror_write.cpp)
target_link_libraries(promotiond_gitops
    PUBLIC promotiond::sdk
    PRIVATE $<BUILD_INTERFACE:promotiond_warnings> PkgConfig::libgit2 PkgConfig::libssh2 OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
set_target_properties(promotiond_gitops PROPERTIES EXPORT_NAME gitops)
add_library(promotiond::gitops ALIAS promotiond_gitops)
