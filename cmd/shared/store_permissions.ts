/**
 * The permissions that it takes to open a store in a folder.
 *
 * @module
 */

/** They are needed until it is open. */
export const STORE_PERMISSIONS: readonly Deno.PermissionName[] = ["read", "write"];

/** Drops them: an open database needs none. */
export function dropStorePermissions(): void {
  for (const name of STORE_PERMISSIONS) Deno.permissions.revokeSync({ name });
}
