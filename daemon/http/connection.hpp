// Connection: one socket, its requests one after the other, and their deadlines. Only the listener
// and connection.cpp know it.
//
// Thread-safety: everything on the listener's I/O thread. A connection owns itself through its
// pending operations, or itself while a request is answered, and ends with the last of them.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "http/listener.hpp"

namespace promotiond::http {

class Connection {
public:
    virtual ~Connection() = default;
    // Closes now if idle, else after the answer in hand.
    virtual void finish() = 0;
    // Closes now.
    virtual void cut() = 0;
};

// What a connection asks of its listener.
class ConnectionHost {
public:
    virtual ~ConnectionHost() = default;
    [[nodiscard]] virtual Service& service() = 0;
    [[nodiscard]] virtual const ListenOptions& options() const = 0;
    [[nodiscard]] virtual bool draining() const = 0;
    [[nodiscard]] virtual std::function<void(std::function<void()>)> poster() const = 0;
    [[nodiscard]] virtual std::string next_request_id() = 0;
    virtual void opened(Connection& connection, const std::string& key) = 0;
    virtual void ended(Connection& connection, const std::string& key) = 0;
    virtual void in_flight(int change) = 0;
    virtual void refused(const std::string& peer, const std::string& detail) = 0;
};

// key: what connections are counted by. tls null = plain.
void begin_connection(ConnectionHost& host, boost::asio::ip::tcp::socket socket,
                      std::shared_ptr<boost::asio::ssl::context> tls, std::string peer,
                      std::string key);

}  // namespace promotiond::http
