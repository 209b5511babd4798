// What each operation of the frame path costs beside instructions, on real Aeron, with the clients' conductors on their
// own threads as in any application: no allocation, no lock and no system call.
#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>

#include "support/libc_calls.hpp"
#include "support/need.hpp"
#include "support/rig.hpp"
#include "support/system_calls.hpp"

namespace tensorpool {
namespace {

constexpr std::size_t payload_bytes = 4096;
constexpr int rounds = 2000;

// A producer and its consumer on one client; publishing and polling are done by whoever calls.
class Stream {
 public:
  explicit Stream(const ClientOptions& options)
      : client_(need(Client::connect(options))),
        producer_(need(
            client_.attach_producer({.stream_id = Rig::stream, .progress_interval_ns = 0, .progress_bytes_delta = 0}))),
        consumer_(need(client_.attach_consumer({.stream_id = Rig::stream, .progress = ProgressHints{0, 0, 0}}))) {}

  // All is met, and bound, once.
  [[nodiscard]] bool warm_up() {
    return eventually([this] {
      for (int i = 0; i < 20; ++i) copy(), fill_in_place(), tell_progress();
      return copied > 0 && read > 0 && used > 0 && partial > 0;
    });
  }

  void copy() {
    published += is_committed(producer_.publish(layout_, payload_));
    poll();
  }
  void fill_in_place() {
    auto claim = producer_.claim(payload_bytes);
    published += claim && is_committed(std::move(*claim).commit(layout_));
    poll();
  }
  void tell_progress() {
    auto claim = producer_.claim(payload_bytes, layout_);
    if (!claim) return;
    claim->progress(payload_bytes / 2);
    poll_progress();
    published += is_committed(std::move(*claim).commit(layout_));
    poll_progress();
    poll();
  }

  int published = 0;
  int copied = 0;
  int read = 0;
  int used = 0;
  int partial = 0;

 private:
  void poll() {
    consumer_.poll([this](const Frame& frame) {
      copied += frame.copy_to(copy_).has_value();
      read += frame.read<std::byte>([](auto view) { return view.elements.size(); }).has_value();
      used += frame.unchecked().size() == payload_bytes && frame.still_valid();
    });
  }
  void poll_progress() {
    consumer_.poll_progress([this](const PartialFrame& frame) { partial += frame.copy_to(copy_).has_value(); });
  }

  Client client_;
  Producer producer_;
  Consumer consumer_;
  const std::array<std::byte, payload_bytes> payload_{};
  std::array<std::byte, payload_bytes> copy_{};
  const TensorLayout layout_ = TensorLayout::raw_bytes(payload_bytes);
};

struct Case {
  const char* name;
  void (Stream::*round)();
};
void PrintTo(const Case& made, std::ostream* out) { *out << made.name; }

class PerFrame : public RigTest, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override { rig().start(); }
};

TEST_P(PerFrame, NothingIsAllocatedAndNothingLocked) {
  Stream stream(rig().client_options("gate"));
  ASSERT_TRUE(stream.warm_up());
  stream.published = stream.copied = 0;
  const test::LibcCalls calls = test::libc_calls_of([&] {
    for (int i = 0; i < rounds; ++i) (stream.*GetParam().round)();
  });
  EXPECT_EQ(calls.allocations, 0u);
  EXPECT_EQ(calls.locks, 0u);
  EXPECT_EQ(stream.published, rounds);
  EXPECT_GT(stream.copied, rounds / 2) << "it would have measured an idle consumer";
}

TEST_P(PerFrame, TheSystemIsNotCalled) {
  const auto counted = count_system_calls([&]() -> std::function<void()> {
    const auto stream = std::make_shared<Stream>(rig().client_options("gate"));
    if (!stream->warm_up()) return {};
    return [stream] {
      stream->published = stream->copied = 0;
      for (int i = 0; i < rounds; ++i) ((*stream).*GetParam().round)();
      if (stream->published < rounds || stream->copied <= rounds / 2) ::_exit(78);
    };
  });
  EXPECT_EQ(counted.failure, "");
  EXPECT_EQ(counted.calls, 0) << "system calls " << counted.first_few;
}

INSTANTIATE_TEST_SUITE_P(Of, PerFrame,
                         testing::Values(Case{"PublishByCopy", &Stream::copy},
                                         Case{"ClaimAndCommit", &Stream::fill_in_place},
                                         Case{"Progress", &Stream::tell_progress}),
                         [](const auto& made) { return made.param.name; });

// The gates see what they are there for.
TEST(LibcCalls, CountsAllocationsAndLocksOfThisThread) {
  std::mutex mutex;
  const test::LibcCalls calls = test::libc_calls_of([&] {
    const std::lock_guard lock(mutex);
    void* volatile memory = std::malloc(8);  // volatile: or the compiler leaves them out
    std::free(memory);
    std::string* volatile text = new std::string;
    delete text;
  });
  EXPECT_EQ(calls, (test::LibcCalls{2, 1}));
}

}  // namespace
}  // namespace tensorpool
