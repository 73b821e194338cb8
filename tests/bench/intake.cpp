// Durable intake of signed events against bare SQLite, in one run: what the whole path (HTTP,
// signature, JSON, decision, journal) costs beside the one thing it cannot do without.
//
//   bench_intake sqlite DIRECTORY SECONDS            64 producers, one group-committing writer, one
//   1 KiB row each bench_intake events HOST:PORT KEY SECONDS        64 keep-alive senders of signed
//   1 KiB events, each to a Pipeline of its own
//                                                    (bench/p0 ... bench/p63), each event a new
//                                                    revision
//
// Both print "<count> in <seconds> s = <rate>/s, p50 <ms>, p99 <ms>". tests/bench/run starts the
// daemon and compares.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sqlite3.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kSenders = 64;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void report(std::vector<double>& latencies, double seconds) {
    std::sort(latencies.begin(), latencies.end());
    const auto at = [&](double share) {
        return latencies.empty() ? 0.0
                                 : latencies[static_cast<std::size_t>(
                                       static_cast<double>(latencies.size() - 1) * share)];
    };
    std::printf("%zu in %.2f s = %.0f/s, p50 %.2f, p99 %.2f\n", latencies.size(), seconds,
                static_cast<double>(latencies.size()) / seconds, at(0.5), at(0.99));
}

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "bench_intake: %s\n", what.c_str());
    std::exit(1);
}

// ---- bare SQLite
// -------------------------------------------------------------------------------------------------

struct Queue {
    std::mutex mutex;
    std::condition_variable filled;
    std::condition_variable committed;
    std::deque<std::pair<int, std::string>> waiting;
    std::vector<bool> done = std::vector<bool>(kSenders, false);
    bool stop = false;
};

void run(sqlite3* database, const char* sql) {
    if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        fail(sqlite3_errmsg(database));
}

void write_batches(const std::string& file, Queue& queue) {
    sqlite3* database = nullptr;
    if (sqlite3_open(file.c_str(), &database) != SQLITE_OK) fail("cannot open " + file);
    run(database,
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE event(id INTEGER PRIMARY KEY, key TEXT UNIQUE, state INTEGER, body TEXT);"
        "CREATE INDEX due ON event(state) WHERE state = 0");
    sqlite3_stmt* insert = nullptr;
    sqlite3_prepare_v2(database, "INSERT INTO event(key, state, body) VALUES(?, 0, ?)", -1, &insert,
                       nullptr);
    const std::string body(1024, 'x');
    std::unique_lock lock(queue.mutex);
    for (;;) {
        queue.filled.wait(lock, [&] { return queue.stop || !queue.waiting.empty(); });
        if (queue.waiting.empty()) break;
        std::deque<std::pair<int, std::string>> batch;
        std::swap(batch, queue.waiting);
        lock.unlock();
        run(database, "BEGIN IMMEDIATE");
        for (const auto& [sender, key] : batch) {
            sqlite3_bind_text(insert, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
            sqlite3_bind_text(insert, 2, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
            if (sqlite3_step(insert) != SQLITE_DONE) fail(sqlite3_errmsg(database));
            sqlite3_reset(insert);
        }
        run(database, "COMMIT");
        lock.lock();
        for (const auto& [sender, key] : batch) queue.done[static_cast<std::size_t>(sender)] = true;
        queue.committed.notify_all();
    }
    sqlite3_finalize(insert);
    sqlite3_close(database);
}

void produce(int sender, Clock::time_point end, Queue& queue, std::vector<double>& latencies) {
    const auto self = static_cast<std::size_t>(sender);
    for (int i = 0; Clock::now() < end; ++i) {
        const auto start = Clock::now();
        std::unique_lock lock(queue.mutex);
        queue.done[self] = false;
        queue.waiting.emplace_back(sender, std::to_string(sender) + "-" + std::to_string(i));
        queue.filled.notify_one();
        queue.committed.wait(lock, [&] { return queue.done[self]; });
        lock.unlock();
        latencies.push_back(milliseconds_since(start));
    }
}

void bench_sqlite(const std::string& directory, double seconds) {
    Queue queue;
    std::vector<std::vector<double>> latencies(kSenders);
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::thread writer(write_batches, directory + "/bare.db", std::ref(queue));
    std::vector<std::thread> producers;
    for (int i = 0; i < kSenders; ++i) {
        producers.emplace_back(produce, i, end, std::ref(queue),
                               std::ref(latencies[static_cast<std::size_t>(i)]));
    }
    for (auto& producer : producers) producer.join();
    const double took = milliseconds_since(start) / 1000;
    {
        const std::lock_guard lock(queue.mutex);
        queue.stop = true;
    }
    queue.filled.notify_one();
    writer.join();
    std::vector<double> all;
    for (const auto& each : latencies) all.insert(all.end(), each.begin(), each.end());
    report(all, took);
}

// ---- signed events
// -----------------------------------------------------------------------------------------------

std::string signature(const std::string& key, const std::string& body) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac, &size);
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        constexpr const char* kHex = "0123456789abcdef";
        hex += kHex[mac[i] >> 4];
        hex += kHex[mac[i] & 15];
    }
    return hex;
}

std::string request(int sender, int number, const std::string& key) {
    std::string body =
        R"({"involvedObject":{"kind":"HelmRelease","namespace":"podinfo","name":"podinfo","uid":"57c3579b-0f2b-4bb5-8e8c-5d5d1f6f7a01",)"
        R"("apiVersion":"helm.toolkit.fluxcd.io/v2","resourceVersion":"155540"},"severity":"info","timestamp":null,)"
        R"("message":"Helm upgrade succeeded for release podinfo/podinfo","reason":"UpgradeSucceeded","metadata":{"revision":")" +
        ("1.0." + std::to_string(number)) +
        R"("},"reportingController":"helm-controller","reportingInstance":"helm-controller-7cdc7874f8-9qpft","padding":")";
    body.append(body.size() < 1022 ? 1022 - body.size() : 0, 'x');
    body += "\"}";
    return "POST /promotion/bench/p" + std::to_string(sender) +
           "/dev HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nX-Signature: "
           "sha256=" +
           signature(key, body) + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

struct Sender {
    int socket = -1;
    int number = 0;
    std::size_t sent = 0;
    std::string request;
    std::string answer;
    Clock::time_point start;
};

int connected(const std::string& address) {
    const auto colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
    if (inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1)
        fail("bad address " + address);
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
        fail("cannot connect to " + address);
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

void send_next(Sender& sender) {
    sender.sent = 0;
    sender.answer.clear();
    sender.start = Clock::now();
    while (sender.sent < sender.request.size()) {
        const auto count = ::send(sender.socket, sender.request.data() + sender.sent,
                                  sender.request.size() - sender.sent, MSG_NOSIGNAL);
        if (count <= 0) fail("the daemon closed a connection");
        sender.sent += static_cast<std::size_t>(count);
    }
}

// True when an answer is whole.
bool receive(Sender& sender) {
    char bytes[8192];
    const auto count = ::recv(sender.socket, bytes, sizeof bytes, 0);
    if (count <= 0) fail("the daemon closed a connection");
    sender.answer.append(bytes, static_cast<std::size_t>(count));
    const auto end = sender.answer.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    std::string head = sender.answer.substr(0, end);
    std::transform(head.begin(), head.end(), head.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto length = head.find("content-length: ");
    const std::size_t body = length == std::string::npos
                                 ? 0
                                 : static_cast<std::size_t>(std::atol(head.c_str() + length + 16));
    if (sender.answer.size() < end + 4 + body) return false;
    if (sender.answer.compare(0, 12, "HTTP/1.1 202") != 0)
        fail("not accepted: " + sender.answer.substr(0, 400));
    return true;
}

void bench_events(const std::string& address, const std::string& key, double seconds) {
    const int events = epoll_create1(EPOLL_CLOEXEC);
    std::vector<Sender> senders(kSenders);
    std::vector<double> latencies;
    for (int i = 0; i < kSenders; ++i) {
        auto& sender = senders[static_cast<std::size_t>(i)];
        sender.socket = connected(address);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &sender;
        epoll_ctl(events, EPOLL_CTL_ADD, sender.socket, &event);
        sender.request = request(i, sender.number++, key);
    }
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (auto& sender : senders) send_next(sender);
    int open = kSenders;
    while (open > 0) {
        epoll_event ready[kSenders];
        const int count = epoll_wait(events, ready, kSenders, 10'000);
        if (count <= 0) fail("no answer within 10 s");
        for (int i = 0; i < count; ++i) {
            auto& sender = *static_cast<Sender*>(ready[i].data.ptr);
            if (!receive(sender)) continue;
            latencies.push_back(milliseconds_since(sender.start));
            if (Clock::now() >= end) {
                --open;
                continue;
            }
            sender.request =
                request(static_cast<int>(&sender - senders.data()), sender.number++, key);
            send_next(sender);
        }
    }
    report(latencies, milliseconds_since(start) / 1000);
    for (auto& sender : senders) ::close(sender.socket);
    ::close(events);
}

}  // namespace

int main(int count, char** words) {
    const std::string mode = count > 1 ? words[1] : "";
    if (mode == "sqlite" && count == 4) bench_sqlite(words[2], std::atof(words[3]));
    else if (mode == "events" && count == 5) bench_events(words[2], words[3], std::atof(words[4]));
    else fail("usage: bench_intake sqlite DIRECTORY SECONDS | events HOST:PORT KEY SECONDS");
    return 0;
}
