/** Starts [KeeplineAndroid] with the application, as its manifest asks: a provider that provides nothing. */
package dev.keepline.android

import android.content.ContentProvider
import android.content.ContentValues
import android.database.Cursor
import android.net.Uri

/** Made by Android before the first activity, on the main thread. */
public class KeeplineInitializer : ContentProvider() {
    /** Starts [KeeplineAndroid]. */
    override fun onCreate(): Boolean {
        KeeplineAndroid.start(checkNotNull(context))
        return true
    }

    /** Nothing. */
    override fun query(
        uri: Uri,
        projection: Array<out String>?,
        selection: String?,
        arguments: Array<out String>?,
        order: String?,
    ): Cursor? = null

    /** Nothing. */
    override fun getType(uri: Uri): String? = null

    /** Nothing. */
    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    /** Nothing. */
    override fun delete(uri: Uri, selection: String?, arguments: Array<out String>?): Int = 0

    /** Nothing. */
    override fun update(uri: Uri, values: ContentValues?, selection: String?, arguments: Array<out String>?): Int = 0
}
