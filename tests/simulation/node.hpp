// A process with a client: its producers and consumers, their application's turns and the conductor's. It can be killed
// at any moment, and stopped: both its halves, or one of them.
#pragma once

#include <memory>
#include <vector>

#include "simulation/reader.hpp"
#include "simulation/writer.hpp"

namespace tensorpool::simulation {

class Node {
 public:
  Node(Stage& stage, const NodePlan& plan, std::string name);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  void turn();
  // In the quiet at the end: everybody has a turn, does no harm, and those who were refused ask again at once.
  void quiet_turn(bool frames);

  // As kill -9: nothing is said, and the media driver notices after a while. It starts again later.
  void kill(Nanos noticed_after, Nanos down_for);
  void stop(bool conductor, bool application, Nanos duration);
  // The media driver takes it for dead, though it lives.
  void cut();
  void close_a_handle();
  // Ends in order: detaches, and says so.
  void end(Nanos down_for);
  // What a kill or a stop left is over.
  void recover();
  [[nodiscard]] bool lives() const noexcept { return life_ == Life::up; }
  [[nodiscard]] bool writes() const noexcept { return lives() && stage_.clock.now >= application_stopped_until_; }

  [[nodiscard]] std::vector<std::unique_ptr<Writer>>& writers() noexcept { return writers_; }
  [[nodiscard]] std::vector<std::unique_ptr<Reader>>& readers() noexcept { return readers_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  enum class Life : std::uint8_t { down, up, dying };
  void start();
  void bury();
  void application();
  [[nodiscard]] ClientOptions options();

  Stage& stage_;
  const NodePlan plan_;
  const std::string name_;
  Life life_ = Life::down;
  Nanos until_ = 0;  // of being down, or unnoticed
  Nanos down_for_ = 0;
  Nanos conductor_stopped_until_ = 0;
  Nanos application_stopped_until_ = 0;
  std::unique_ptr<detail::ClientCore> client_;
  std::shared_ptr<detail::MetadataFollower> metadata_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace tensorpool::simulation
