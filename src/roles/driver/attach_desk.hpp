// AttachDesk: decides every attach request, in this order: seen before, well-formed, allowed, possible; only then is
// anything changed, so a refused attach leaves no trace (driver spec §4.2, §4.3). Knows no transport and no file: it
// says what epoch a request waits for, and is told when it is there.
//
// A request is known by correlation id, client, stream and role. While it is pending, repeats are ignored; once
// answered, they get the same answer again; once its lease has ended, they get `unknown lease`, never a second lease.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>

#include "protocol/messages.hpp"
#include "roles/driver/leases.hpp"
#include "roles/driver/node_ids.hpp"
#include "roles/driver/stream_table.hpp"
#include "tensorpool/driver_config.hpp"

namespace tensorpool::driver {

// What is to be done about a request. At most one of `answer` and `awaits`; neither for a repeat of a pending one.
struct AttachVerdict {
  enum class Epoch : std::uint8_t { idle, producer };

  std::optional<protocol::ShmAttachResponse> answer;
  std::optional<Epoch> awaits;  // the epoch to make before grant() or refuse() is called
  std::uint32_t stream_id = 0;
  std::uint64_t lease_id = 0;                   // names the pending attach
  bool repeated = false;                        // the answer was given before
  std::optional<std::uint32_t> retired_stream;  // a dynamic stream that made room: its files are nobody's now
};

class AttachDesk {
 public:
  struct Parts {
    const DriverConfig& config;
    Leases& leases;
    NodeIds& node_ids;
    StreamTable& streams;
    bool hugepages = false;  // the base directory lies on hugetlbfs
  };

  explicit AttachDesk(const Parts& parts) : parts_(parts) {}

  [[nodiscard]] AttachVerdict on(const protocol::ShmAttachRequest& request, Nanos now);
  // From now on new attaches are refused.
  void begin_draining() noexcept { draining_ = true; }

  // The epoch that the pending attach waited for is there: its answer. REQUIRES: its stream is provisioned.
  [[nodiscard]] protocol::ShmAttachResponse grant(std::uint64_t lease_id, Nanos now);
  // It cannot be had, or the driver goes: takes back everything that was kept for the attach.
  [[nodiscard]] protocol::ShmAttachResponse refuse(std::uint64_t lease_id, protocol::ResponseCode code,
                                                   std::string_view why, Nanos now);
  // The grant could not be said; the lease is gone, and repeats get this refusal.
  [[nodiscard]] protocol::ShmAttachResponse withdraw(std::uint64_t lease_id, std::string_view why, Nanos now);
  // A lease ended: repeats of its request are refused from now on.
  void forget_lease(std::uint64_t lease_id);

  [[nodiscard]] std::size_t pending() const noexcept { return pending_.size(); }
  [[nodiscard]] bool is_pending(std::uint64_t lease_id) const { return pending_.contains(lease_id); }

 private:
  struct Key {
    std::int64_t correlation_id;
    std::uint32_t client_id;
    std::uint32_t stream_id;  // as asked for
    std::uint8_t role;
    auto operator<=>(const Key&) const =
        default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 sees a literal 0 in it
  };
  struct Refusal {
    protocol::ResponseCode code;
    std::string_view text;
  };

  static Key key_of(const protocol::ShmAttachRequest& request) noexcept;
  [[nodiscard]] std::optional<Refusal> judge(const protocol::ShmAttachRequest& request) const;
  [[nodiscard]] Expected<std::uint32_t, Refusal> choose_stream(const protocol::ShmAttachRequest& request, Nanos now,
                                                               AttachVerdict& verdict);
  [[nodiscard]] std::optional<Refusal> judge_lease(const protocol::ShmAttachRequest& request, Nanos now) const;
  AttachVerdict accept(const protocol::ShmAttachRequest& request, std::uint32_t stream_id, Nanos now);
  const protocol::ShmAttachResponse& remember(const Key& key, protocol::ShmAttachResponse response);
  void take_back(std::uint64_t lease_id, Nanos now);

  Parts parts_;
  bool draining_ = false;
  std::map<std::uint64_t, Key> pending_;  // by lease id
  std::map<Key, std::uint64_t> pending_by_key_;
  std::map<Key, protocol::ShmAttachResponse> answers_;
  std::deque<Key> answer_order_;          // oldest first
  std::map<std::uint64_t, Key> granted_;  // by lease id, as long as the answer is remembered
};

}  // namespace tensorpool::driver
