# Everything is packaged in Debian 12; scripts/dependencies installs it.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Poco 1.11 REQUIRED COMPONENTS Foundation Util Net NetSSL Crypto JSON JWT)
# The libraries' assertions stay on in release builds as well (the preset leaves NDEBUG out): a parser whose invariant is
# broken must not go on with what a peer sent. The process ends instead, and its restart goes on from the journal. What a
# peer is known to trip is kept from the parser (daemon/http/request_reader.cpp); the fuzz target of the reader looks for
# more.
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(spdlog 1.10 REQUIRED)
find_package(yaml-cpp 0.6 REQUIRED)
find_package(SQLite3 3.34 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libgit2 REQUIRED IMPORTED_TARGET libgit2>=1.5)
pkg_check_modules(libyaml REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(libssh2 REQUIRED IMPORTED_TARGET libssh2)
find_path(VALIJSON_INCLUDE_DIR valijson/validator.hpp REQUIRED)
