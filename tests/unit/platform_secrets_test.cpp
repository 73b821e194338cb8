// Secrets from a directory: exactly the bytes, never a path, always the newest.
#include <sys/stat.h>

#include "platform/local.hpp"
#include "platform_folder.hpp"

using namespace promotiond;
using namespace promotiond::platform;

namespace {

std::string value_of(SecretStore& store, const std::string& key) {
    const auto secret = store.get("default", "app", key);
    return secret ? std::string(secret->reveal()) : "error: " + secret.error().message;
}

}  // namespace

TEST_CASE("secrets: the exact bytes under a key are given, line ends and zeros included") {
    const Folder folder;
    const std::string bytes("a\0b\r\n", 5);
    folder.write("default/app/token", bytes);
    CHECK(value_of(*local_secrets(folder.path()), "token") == bytes);
}

TEST_CASE("secrets: which of secret and key is missing is said, and no value") {
    const Folder folder;
    folder.write("default/app/token", "t0p-secret");
    const auto store = local_secrets(folder.path());
    const auto no_key = store->get("default", "app", "hmac-key");
    REQUIRE_FALSE(no_key);
    CHECK(no_key.error().kind == ErrorKind::NotFound);
    CHECK(no_key.error().message.rfind("key hmac-key of secret default/app", 0) == 0);
    const auto no_secret = store->get("default", "other", "token");
    REQUIRE_FALSE(no_secret);
    CHECK(no_secret.error().kind == ErrorKind::NotFound);
    CHECK(no_secret.error().message.rfind("secret default/other", 0) == 0);
    CHECK(store->get("team", "app", "token").error().kind == ErrorKind::NotFound);
    folder.write("default/app/empty", "");
    CHECK(store->get("default", "app", "empty").error().kind == ErrorKind::NotFound);
}

TEST_CASE("secrets: names that are paths or hold control characters are refused") {
    const Folder folder;
    folder.write("default/app/token", "t");
    folder.write("outside", "o");
    const auto store = local_secrets(folder.path());
    for (const std::string& name :
         {std::string(""), std::string("."), std::string(".."), std::string("../app"),
          std::string("a/b"), std::string(".hidden"), std::string("a\nb"), std::string("a\0b", 3),
          std::string("a\\b"), std::string(300, 'a')}) {
        INFO(name);
        CHECK(store->get(name, "app", "token").error().kind == ErrorKind::Invalid);
        CHECK(store->get("default", name, "token").error().kind == ErrorKind::Invalid);
        CHECK(store->get("default", "app", name).error().kind == ErrorKind::Invalid);
    }
}

TEST_CASE("secrets: links that lead out, folders, pipes and large files are not read") {
    const Folder folder;
    folder.write("outside", "o");
    folder.write("default/app/token", "t");
    namespace fs = std::filesystem;
    fs::create_symlink(folder.path() / "outside", folder.path() / "default/app/absolute");
    fs::create_symlink("../../outside", folder.path() / "default/app/relative");
    fs::create_symlink("token", folder.path() / "default/app/sibling");
    fs::create_symlink("..data/data-link", folder.path() / "default/app/data-link");
    fs::create_symlink("../..", folder.path() / "default/app/..data");
    fs::create_symlink("app", folder.path() / "default/linked");
    fs::create_directory(folder.path() / "default/app/folder");
    REQUIRE(::mkfifo((folder.path() / "default/app/pipe").c_str(), 0600) == 0);
    folder.write("default/app/large", std::string((1 << 20) + 1, 'x'));
    const auto store = local_secrets(folder.path());
    for (const char* key :
         {"absolute", "relative", "sibling", "data-link", "folder", "pipe", "large"}) {
        INFO(key);
        const auto secret = store->get("default", "app", key);
        REQUIRE_FALSE(secret);
        CHECK(secret.error().kind == ErrorKind::Invalid);
    }
    CHECK_FALSE(store->get("default", "linked", "token"));
}

TEST_CASE("secrets: a changed value is the next answer, however it was changed") {
    const Folder folder;
    const auto store = local_secrets(folder.path());
    folder.write("default/app/token", "one");
    // An old file is kept in memory; the ones that follow are not old.
    std::filesystem::last_write_time(
        folder.path() / "default/app/token",
        std::filesystem::file_time_type::clock::now() - std::chrono::hours{1});
    CHECK(value_of(*store, "token") == "one");
    CHECK(value_of(*store, "token") == "one");
    folder.write("default/app/token", "two");
    CHECK(value_of(*store, "token") == "two");
    folder.replace("default/app/token", "thr");
    CHECK(value_of(*store, "token") == "thr");
    std::filesystem::remove(folder.path() / "default/app/token");
    CHECK(store->get("default", "app", "token").error().kind == ErrorKind::NotFound);
}

TEST_CASE(
    "secrets: a mounted Kubernetes Secret is read through the kubelet's links and follows their "
    "exchange") {
    const Folder folder;
    const auto store = local_secrets(folder.path());
    folder.mount("default/app", "token", "one", 1);
    CHECK(value_of(*store, "token") == "one");
    folder.mount("default/app", "token", "two", 2);
    CHECK(value_of(*store, "token") == "two");
}

TEST_CASE("secrets: what systemd hands over as credentials is found under its flat names") {
    const Folder folder;
    folder.write("secrets_default_app_token", "t");
    folder.write("secrets_default_app_empty_key", "");
    const auto store = local_secrets(folder.path());
    CHECK(value_of(*store, "token") == "t");
    CHECK(value_of(*store, "token") == "t");
    const auto missing = store->get("default", "app", "hmac-key");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == ErrorKind::NotFound);
    CHECK(missing.error().message.rfind("secret default/app", 0) == 0);
    CHECK(store->get("default", "app", "empty_key").error().kind == ErrorKind::NotFound);
}

TEST_CASE("secrets: a flat name that two secrets could share belongs to neither") {
    const Folder folder;
    folder.write("secrets_a_b_c_token", "t");
    const auto store = local_secrets(folder.path());
    CHECK_FALSE(store->get("a_b", "c", "token"));
    CHECK_FALSE(store->get("a", "b_c", "token"));
}
