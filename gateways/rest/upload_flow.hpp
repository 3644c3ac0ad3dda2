#pragma once

#include "gateways/rest/entity_resource.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace rahat::rest {

/// Chunks of one upload that may wait for their reply.
inline constexpr std::size_t staging_window = 4;

/// How long an upload that finds its entity busy keeps trying, and how long it rests in between.
inline constexpr std::chrono::seconds upload_patience{20};
inline constexpr std::chrono::milliseconds upload_rest{100};

/// What the client asked for with the file.
struct upload_ask {
  uuid project;
  bool skip_bad = false;
  std::string file_name;
};

/// Takes one register from its first byte to the upload entity's answer:
///
///   open -> stage chunk 0, 1, 2 ... (four at a time, in order) -> close -> 202 with the upload
///
/// Every command's id derives from the request's id, so a retry with the same key sends the same
/// commands and gets the same answers; other content is told by the payload hashes (422). A busy
/// entity is asked again; a chunk that was refused because one before it had not come is sent again
/// after that one. A file that cannot be read to its end is abandoned and its error is the answer.
/// A connection that breaks leaves the upload open: a retry goes on, else the entity's own timer
/// ends it.
std::unique_ptr<http::body_reader> upload_reader(shared_context with, http::request from,
                                                 upload_ask ask);

/// Takes nothing and answers with `refusal`.
std::unique_ptr<http::body_reader> refusing_reader(http::response refusal);

} // namespace rahat::rest
