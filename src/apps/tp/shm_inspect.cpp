#include "apps/tp/shm_inspect.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/error.hpp"
#include "base/log.hpp"
#include "shm/epoch_store.hpp"

namespace tensorpool::apps::tp {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_path = 4096;
constexpr int deepest_below_base = 5;  // tensorpool-<user>/<namespace>/<stream_id>/<epoch>/<file>

bool is_region_name(std::string_view name) { return name.ends_with(".ring") || name.ends_with(".pool"); }

void add_regions(const std::vector<shm::ListedEntry>& entries, shm::Listing& listing, std::vector<std::string>& found,
                 int levels) {
  for (const shm::ListedEntry& entry : entries) {
    if (entry.kind == shm::ListedEntry::Kind::directory) {
      if (levels > 1) {
        add_regions(listing.entries_of(entry.path), listing, found, levels - 1);
      } else {
        listing.skip(entry.path, "it lies deeper than regions do");
      }
    } else if (is_region_name(entry.name)) {
      found.push_back(entry.path);
    }
  }
}

std::string activity_of(const protocol::Superblock& superblock, Nanos now) {
  if (superblock.activity_timestamp_ns == 0) {
    return "never active";
  }
  const double age_s = static_cast<double>(now - static_cast<Nanos>(superblock.activity_timestamp_ns)) / 1e9;
  return age_s < 0 ? "active in the future: another machine's or another boot's clock"
                   : fmt::format("active {:.1f} s ago", age_s);
}

std::string describe(const shm::CommitSummary& commits) {
  std::string out =
      fmt::format("{} committed, {} in progress, {} empty", commits.committed, commits.in_progress, commits.empty);
  if (commits.stray > 0) {
    out += fmt::format(", {} that do not belong into their slot", commits.stray);
  }
  if (commits.unread > 0) {
    out += fmt::format(", {} not read", commits.unread);
  }
  if (commits.oldest_committed && commits.newest_committed) {
    out += fmt::format("; sequences {} to {}", *commits.oldest_committed, *commits.newest_committed);
  }
  return out;
}

std::string lines_of(const std::vector<shm::InspectedField>& fields) {
  std::string out;
  for (const shm::InspectedField& field : fields) {
    out += fmt::format("\n  {:<22} {}{}", field.name, field.value, field.ok ? "" : "   WRONG: " + field.why);
  }
  return out;
}

// Adds "ok", "fields" and "faults".
void add_fields(Json& json, bool ok, const std::vector<shm::InspectedField>& fields) {
  json["ok"] = ok;
  json["fields"] = Json::object();
  json["faults"] = Json::array();
  for (const shm::InspectedField& field : fields) {
    json["fields"][std::string(field.name)] = field.value;
    if (!field.ok) {
      json["faults"].push_back({{"field", field.name}, {"why", field.why}});
    }
  }
}

}  // namespace

Result<std::vector<std::string>> find_regions(const std::string& path, shm::Listing& listing) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (!fs::exists(status)) {
    return make_error(ErrorCode::not_found, "{}: no such file or directory", escape(path, longest_path));
  }
  if (!fs::is_directory(status)) {
    return std::vector{path};
  }
  const Result<std::vector<shm::ListedEntry>> entries = listing.list(path);
  if (!entries) {
    return entries.error();
  }
  std::vector<std::string> found;
  add_regions(*entries, listing, found, deepest_below_base);
  return found;
}

Result<std::vector<std::string>> namespace_dirs(const driver::DriverConfig& config, shm::Listing& listing) {
  std::error_code error;
  const fs::path base = fs::canonical(config.shm.base_dir, error);
  std::vector<std::string> found;
  for (const shm::ListedEntry& user :
       listing.entries_of(error ? config.shm.base_dir : base.string(), shm::user_dir_prefix)) {
    if (user.kind != shm::ListedEntry::Kind::directory) {
      listing.skip(user.path, "it is no directory, and a link is not followed");
      continue;
    }
    for (const shm::ListedEntry& entry : listing.entries_of(user.path, config.shm.name_space)) {
      if (entry.name != config.shm.name_space) continue;
      if (entry.kind == shm::ListedEntry::Kind::directory) {
        found.push_back(entry.path);
      } else {
        listing.skip(entry.path, "it is no directory, and a link is not followed");
      }
    }
  }
  if (found.empty()) {
    return make_error(
        ErrorCode::not_found, "no regions of namespace {} below {}{}", config.shm.name_space, config.shm.base_dir,
        listing.skipped().empty() ? "" : " that belong to this user or root; --any-owner includes others");
  }
  return found;
}

std::string describe(const shm::RegionReport& report, Nanos now) {
  std::string out =
      fmt::format("{}: {}, {} bytes, {} held, {}", escape(report.path, longest_path), report.ok() ? "ok" : "NOT OK",
                  report.file_bytes, report.held_bytes, activity_of(report.superblock, now));
  out += lines_of(report.fields);
  if (report.commits) {
    out += fmt::format("\n  {:<22} {}", "slots", describe(*report.commits));
  }
  return out;
}

Json to_json(const shm::RegionReport& report, Nanos now) {
  Json json{{"path", escape(report.path, longest_path)},
            {"file_bytes", report.file_bytes},
            {"held_bytes", report.held_bytes},
            {"activity", activity_of(report.superblock, now)}};
  add_fields(json, report.ok(), report.fields);
  if (report.commits) {
    const auto text = [](const std::optional<std::uint64_t>& seq) {
      return seq ? Json(std::to_string(*seq)) : Json(nullptr);
    };
    json["slots"] = {{"committed", report.commits->committed},
                     {"in_progress", report.commits->in_progress},
                     {"empty", report.commits->empty},
                     {"stray", report.commits->stray},
                     {"unread", report.commits->unread},
                     {"oldest_committed", text(report.commits->oldest_committed)},
                     {"newest_committed", text(report.commits->newest_committed)}};
  }
  return json;
}

std::string describe(const shm::SlotReport& report) {
  return fmt::format("{} slot {}: {}{}", escape(report.path, longest_path), report.index, report.ok() ? "ok" : "NOT OK",
                     lines_of(report.fields));
}

Json to_json(const shm::SlotReport& report) {
  Json json{{"path", escape(report.path, longest_path)}, {"slot", report.index}};
  add_fields(json, report.ok(), report.fields);
  return json;
}

Status expect_fields(std::vector<shm::InspectedField>& fields, const std::vector<std::string>& expected) {
  for (const std::string& text : expected) {
    const std::size_t sign = text.find('=');
    const std::string name = text.substr(0, sign);
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const auto& one) { return one.name == name; });
    if (sign == std::string::npos || field == fields.end()) {
      std::vector<std::string_view> names;
      for (const shm::InspectedField& one : fields) {
        names.push_back(one.name);
      }
      return make_error(ErrorCode::invalid_argument, "--expect {}: write it as FIELD=VALUE; the fields are {}", text,
                        fmt::join(names, ", "));
    }
    const std::string value = text.substr(sign + 1);
    if (field->ok && field->value != value) {
      field->ok = false;
      field->why = fmt::format("{} was expected", value);
    }
  }
  return {};
}

}  // namespace tensorpool::apps::tp
