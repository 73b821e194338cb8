promotiond_test(gitops_mirror
    SOURCES
        ${CMAKE_CURRENT_LIST_DIR}/gitops_address_test.cpp
        ${CMAKE_CURRENT_LIST_DIR}/gitops_checkout_test.cpp
        ${CMAKE_CURRENT_LIST_DIR}/gitops_mirror_fault_test.cpp
        ${CMAKE_CURRENT_LIST_DIR}/gitops_mirror_group_test.cpp
        ${CMAKE_CURRENT_LIST_DIR}/gitops_mirror_ssh_test.cpp
        ${CMAKE_CURRENT_LIST_DIR}/gitops_mirror_test.cpp
        ${CMAKE_CURRENT_LIST_DIR}/gitops_pull_request_git_test.cpp
        ${CMAKE_CURRENT_LIST_DIR}/gitops_memory_forge.cpp
        ${CMAKE_CURRENT_LIST_DIR}/../simulators/git_server.cpp
    LINKS promotiond::gitops OpenSSL::SSL OpenSSL::Crypto Threads::Threads
    LABELS "unit;threads")
# Hundreds of fetches.
promotiond_test(gitops_mirror_packs
    SOURCES
        ${CMAKE_CURRENT_LIST_DIR}/gitops_mirror_packs_test.cpp
        ${CMAKE_CURRENT_LIST_DIR}/../simulators/git_server.cpp
    LINKS promotiond::gitops OpenSSL::SSL OpenSSL::Crypto Threads::Threads
    LABELS unit TIMEOUT 300)
