// Entries of a batch, in less room than they take on the disk.
//
// What the entries of a batch share is said once, or not at all: an entry that follows the one
// before it in the same origin names neither origin nor sequence, and a timestamp by its distance;
// classes, and the origins that dependencies are of, stand in tables that the entries themselves
// fill, in the order in which they name something new. Checksums of parts are left out, as they
// follow from the parts; one checksum stands at the end, over all entries as they are when
// unpacked. Request ids that are 128 bits in hexadecimal digits go as 16 bytes.
//
// Unpacking gives every entry back to the byte. Entries that are not serialized as this software
// does it (a field that it does not know, two parts, a part left out) are carried as they are.
//
//   batch  := entry* checksum(8)
//   entry  := flags(1), then by the flags, in this order:
//     kRaw          bytes: the entry as it is, and nothing else
//     !kNext        origin(8) sequence timestamp(8)
//     kNext         timestamp less that of the entry before
//     kDependencies how many, and each: index in the table, [origin(8) if it is new],
//                   sequence less the last one of that origin, zigzag
//     request id    kNoId; kTextId: bytes; kHexId, kUuidId: 16 bytes
//     kMutationHash hash(8)
//     !kSameClass   index in the table, [bytes if it is new]
//                   record id: bytes
//     kPlainChange  key: bytes, value: bytes
//     !kPlainChange changes: bytes, as serialized
//
// `bytes` is a length and so many bytes; numbers are varints; fixed ones are little-endian.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_field.h"

namespace homeport {

using SerializedEntries = google::protobuf::RepeatedPtrField<std::string>;

std::string PackEntries(const SerializedEntries& entries);

// The reverse. DATA_LOSS if `packed` is damaged; INVALID_ARGUMENT if the entries would be larger
// than `bytes_max` together: a few bytes can name a class of a megabyte over and over again.
absl::StatusOr<SerializedEntries> UnpackEntries(absl::string_view packed, size_t bytes_max);

}  // namespace homeport
