#include "apps/flow/event_json.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

TEST(EventJson, HasWhatTheEventKnows) {
  const Event gone{.kind = EventKind::producer_gone,
                   .stream_id = 5,
                   .client_id = 9,
                   .message = "gone",
                   .epoch = 1'000'000'000'000'000'000,
                   .producer_id = 7,
                   .reason = EndReason::expired};
  EXPECT_EQ(to_json(gone), (Json{{"event", "producer_gone"},
                                 {"stream", 5},
                                 {"client_id", 9},
                                 {"epoch", "1000000000000000000"},
                                 {"message", "gone"},
                                 {"producer_id", 7},
                                 {"reason", "expired"}}));
  const MonitorEvent silent{.kind = MonitorEventKind::no_frames,
                            .stream_id = 5,
                            .client_id = 7,
                            .message = "silent",
                            .epoch = 3,
                            .last_seq = 99,
                            .silent_ns = 5};
  EXPECT_EQ(to_json(silent), (Json{{"event", "no_frames"},
                                   {"stream", 5},
                                   {"client_id", 7},
                                   {"epoch", "3"},
                                   {"message", "silent"},
                                   {"alert", true},
                                   {"last_seq", 99},
                                   {"silent_ns", 5}}));
}

TEST(EventJson, SaysThatADetachIsNoAlert) {
  const Json json = to_json(MonitorEvent{.kind = MonitorEventKind::consumer_gone, .reason = EndReason::detached});
  EXPECT_EQ(json["alert"], false);
  EXPECT_EQ(json["reason"], "detached");
}

}  // namespace
}  // namespace tensorpool::apps
