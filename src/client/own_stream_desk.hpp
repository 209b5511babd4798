// The conductor's side of the streams that consumers have of their own: ConsumerRoutes says which are wanted, the desk
// opens and closes them and hands the whole set to the producer's application thread. One is opened in
// a cycle, since the media driver has to be waited for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/consumer_routes.hpp"
#include "client/control_plane.hpp"
#include "client/producer_core.hpp"

namespace tensorpool::detail {

class OwnStreamDesk {
 public:
  // `tell` says what a person should know. REQUIRES: plane and client outlive this.
  OwnStreamDesk(ControlPlane& plane, const ClientOptions& client, std::shared_ptr<ProducerCore> core,
                std::function<void(std::string)> tell);

  void on(const protocol::ConsumerHello& hello, Nanos now) { routes_.on(hello, now); }
  void on(const protocol::ConsumerConfig& config, Nanos now);
  void on_alive(std::uint32_t consumer_id, Nanos now) noexcept { routes_.on_alive(consumer_id, now); }
  void on_gone(std::uint32_t consumer_id) { routes_.on_gone(consumer_id); }
  // The producer has no stream any more: nobody has one of his own.
  void close();
  // How much was done.
  int do_work(Nanos now);

 private:
  struct Open {
    ConsumerRoutes::Route route;
    std::shared_ptr<transport::Publication> publication;
  };

  [[nodiscard]] Open* find(const ConsumerRoutes::Route& route);
  [[nodiscard]] bool open_next(const std::vector<ConsumerRoutes::Route>& wanted, Nanos now);
  void hand_over(const std::vector<ConsumerRoutes::Route>& wanted);
  void tell_now_and_then(std::string message, Nanos now);

  ControlPlane& plane_;
  std::shared_ptr<ProducerCore> core_;
  std::function<void(std::string)> tell_;
  ConsumerRoutes routes_;
  std::vector<Open> open_;
  std::uint64_t served_version_ = 0;
  std::uint64_t turned_away_ = 0;
  std::uint64_t generation_ = 0;  // of the connection that the publications are on
  Nanos next_word_ = 0;
};

}  // namespace tensorpool::detail
