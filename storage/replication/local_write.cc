#include "storage/replication/local_write.h"

#include <xxhash.h>

namespace homeport {

internal::v1::EntryPart PartOf(const v1::MutateRequest& mutation) {
  internal::v1::EntryPart part;
  part.mutable_change_class()->set_namespace_(mutation.namespace_());
  part.mutable_change_class()->set_kind(internal::v1::CLASS_KIND_GENERAL);
  part.set_record_id(mutation.id());
  for (const v1::Change& change : mutation.changes()) {
    internal::v1::ItemChange* item = part.add_changes();
    item->set_key(change.key());
    if (change.has_put()) item->set_value(change.put());
  }
  return part;
}

uint64_t MutationHash(absl::string_view part_bytes) {
  return XXH3_64bits(part_bytes.data(), part_bytes.size());
}

}  // namespace homeport
