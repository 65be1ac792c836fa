// A client's mutation as the change log has it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/session/session_token.h"
#include "homeport/internal/v1/entry.pb.h"
#include "homeport/internal/v1/stored.pb.h"
#include "homeport/v1/key_value.pb.h"
#include "storage/model/hybrid_time.h"

namespace homeport {

// Of an entry's part: deleting many large sets at once would make one of any size.
inline constexpr size_t kPartBytesMax = 8 * 1024 * 1024;

// What a mutation is made an entry with.
struct WriteTerms {
  // The replica's start that accepts it.
  Origin origin;
  // The entry's hybrid time.
  HybridTime time;
  // How long a value lives if its change does not say; zero: for ever.
  absl::Duration ttl = absl::ZeroDuration();
};

// A validated mutation on its way to an entry. What a client asks for and what the entry says
// differ: an entry has sums in place of differences, what exactly is removed in place of "all", and
// an expiry in place of a time to live, so that applying it means the same everywhere.
// Thread-compatible. The mutation must outlive it.
class LocalMutation {
 public:
  explicit LocalMutation(const v1::MutateRequest* mutation);

  // Tells two mutations under one request id apart. Of what the client asked for, so that a retry
  // has the same one whatever has happened since.
  uint64_t hash() const { return hash_; }

  // Fits change `index` to what the replica has of the item; `stored` null: nothing. To be called
  // once for each change, in order. Adds to `seen` what the change rests on. Errors name the field:
  //   FAILED_PRECONDITION  COUNTER_OVERFLOW (field), SET_TOO_LARGE (field, limit, actual)
  absl::Status Fit(int index, const internal::v1::StoredItem* stored, const WriteTerms& terms,
                   SessionToken& seen);
  // Adds the part, and the request id with the hash if there is one. INVALID_ARGUMENT
  // (LIMIT_EXCEEDED) if the part is longer than an entry may be.
  absl::Status AddTo(internal::v1::Entry& entry);
  const internal::v1::EntryPart& part() const { return part_; }

 private:
  const v1::MutateRequest* mutation_;
  internal::v1::EntryPart part_;
  // The part's bytes while they are not out of date.
  std::string bytes_;
  bool fitted_ = false;
  uint64_t hash_;
};

// The hash that LocalMutation had of the mutation that made the entry, of which `part` is the part.
uint64_t MutationHashOf(const internal::v1::Entry& entry, absl::string_view part);

}  // namespace homeport
